#include "cli/profile_text.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/error.h"
#include "base/piece_writer.h"
#include "base/printable.h"
#include "base/try.h"
#include "inspect/text.h"
#include "profile/trace_file.h"

namespace slipway::cli {
namespace {

using inspection::append;
using profile::InstructionTime;
using profile::LayerTime;
using profile::Summary;

// Rows of a table; a file has the rest.
constexpr size_t kMostRows = 30;

std::string share_of(double part, double whole) {
  constexpr double kHundred = 100;
  return fmt::format("{:.1f}%", whole > 0 ? kHundred * part / whole : 0);
}

std::string time_of(double milliseconds) { return fmt::format("{:.4f}", milliseconds); }

// The longest first; equal ones stay in the order of the program.
template <class Part>
std::vector<const Part*> sorted(const std::vector<Part>& parts) {
  std::vector<const Part*> order;
  for (const Part& part : parts) order.push_back(&part);
  std::stable_sort(order.begin(), order.end(),
                   [](const Part* a, const Part* b) { return a->milliseconds > b->milliseconds; });
  return order;
}

void append_rest(std::string& text, size_t count) {
  if (count > kMostRows) append(text, "  ... and {} more: a .json has them\n", count - kMostRows);
}

void append_layers(std::string& text, const InstructionTime& instruction) {
  if (instruction.layers.empty()) {
    append(text, "{} at {} tells nothing of its layers\n", printable(instruction.name),
           instruction.instruction);
    return;
  }
  append(text, "layers of {} at {}:\n", printable(instruction.name), instruction.instruction);
  std::vector<std::vector<std::string>> rows = {{"ms", "share", "layer", "what ran"}};
  for (const LayerTime* layer : sorted(instruction.layers)) {
    if (rows.size() > kMostRows) break;
    rows.push_back({time_of(layer->milliseconds),
                    share_of(layer->milliseconds, instruction.milliseconds), layer->name,
                    layer->kind});
  }
  rows.push_back({time_of(instruction.rest), share_of(instruction.rest, instruction.milliseconds),
                  "rest of the call", "inputs, outputs, waiting"});
  text += inspection::format_table(rows, "  ");
  append_rest(text, instruction.layers.size());
}

std::string_view ending_of(const std::string& path) {
  for (const std::string_view ending : {".json", ".etdp"}) {
    if (path.ends_with(ending)) return ending;
  }
  return {};
}

}  // namespace

std::string profile_text(const Summary& summary) {
  std::string text;
  append(text, "profile of {}, {}, {} ms each:\n", printable(summary.method),
         inspection::count_text(summary.runs, "run"), time_of(summary.milliseconds));
  std::vector<std::vector<std::string>> rows = {{"ms", "share", "calls", "at", "what", "from"}};
  const auto add = [&](double time, const std::string& calls, const std::string& place,
                       const std::string& what, const std::string& origin) {
    rows.push_back(
        {time_of(time), share_of(time, summary.milliseconds), calls, place, what, origin});
  };
  for (const InstructionTime* instruction : sorted(summary.instructions)) {
    if (rows.size() > kMostRows) break;
    // Behind the place is the line itself.
    const std::string from = instruction->origin.substr(0, instruction->origin.find('\n'));
    add(instruction->milliseconds, std::to_string(instruction->calls),
        std::to_string(instruction->instruction), instruction->name, from);
  }
  add(summary.inputs, "", "", "before them: inputs", "");
  add(summary.between, "", "", "between them", "");
  add(summary.outputs, "", "", "after them: outputs", "");
  text += inspection::format_table(rows, "  ");
  append_rest(text, summary.instructions.size());
  for (const InstructionTime& instruction : summary.instructions) {
    if (instruction.name.starts_with("engine ")) append_layers(text, instruction);
  }
  return text;
}

Status check_profile_name(const std::string& path) {
  if (path == "-" || !ending_of(path).empty()) return {};
  return invalid_argument(
      "--profile {}: its name ends in .json (Chrome's trace format) or .etdp (ExecuTorch's), or is "
      "- for no file",
      path);
}

Status write_profile(const std::string& path, const profile::Profiler& profiler,
                     const std::vector<FileIdentity>& inputs) {
  if (path == "-") return {};
  for (const FileIdentity& input : inputs) SLIPWAY_RETURN_IF_ERROR(input.check_not_output(path));
  if (ending_of(path) == ".etdp") return write_file(path, profile::etdump(profiler.runs()));
  return write_file(path, profile::chrome_trace(profiler.runs(), profiler.summary()) + "\n");
}

}  // namespace slipway::cli
