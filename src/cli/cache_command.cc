// slipway cache: the engines that were kept.

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/byte_count.h"
#include "base/error.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "engine/json.h"
#include "engine_build/engine_cache.h"

namespace slipway::cli {
namespace {

using Json = engine::OrderedJson;

constexpr size_t kShownKeyDigits = 12;
constexpr size_t kShownInputs = 3;

struct CacheArguments {
  std::string folder;
  std::string max_size;
  bool json = false;
};

Result<engine_build::EngineCache> open_cache(const CacheArguments& options) {
  std::string folder =
      options.folder.empty() ? engine_build::default_cache_folder() : options.folder;
  if (folder.empty()) {
    return invalid_argument(
        "there is no default cache folder, since HOME is not set: name one "
        "with --cache");
  }
  return engine_build::EngineCache(std::move(folder));
}

std::string format_count(uint64_t engines) {
  return fmt::format("{} engine{}", engines, engines == 1 ? "" : "s");
}

std::string format_time(int64_t ns, bool local) {
  const std::time_t seconds = ns / 1'000'000'000;
  std::tm time = {};
  const bool known =
      (local ? ::localtime_r(&seconds, &time) : ::gmtime_r(&seconds, &time)) != nullptr;
  char text[32] = {};
  if (known) std::strftime(text, sizeof text, local ? "%F %R" : "%FT%TZ", &time);
  return text;
}

std::string format_inputs(const std::vector<engine::EngineTensor>& inputs) {
  std::vector<std::string> texts;
  for (const engine::EngineTensor& input : inputs) {
    if (texts.size() == kShownInputs) {
      texts.push_back(fmt::format("and {} more", inputs.size() - kShownInputs));
      break;
    }
    texts.push_back(
        fmt::format("{} {}[{}]", input.name, input.dtype, fmt::join(input.sizes, ", ")));
  }
  return printable(fmt::format("{}", fmt::join(texts, ", ")));
}

void print_table(const engine_build::EngineCache& cache,
                 const std::vector<engine_build::EngineCache::Entry>& entries) {
  std::vector<std::vector<std::string>> rows = {
      {"key", "engine", "library", "size", "last used", "inputs"}};
  uint64_t total = 0;
  for (const auto& entry : entries) {
    total += entry.size;
    const auto record = cache.record(entry);
    rows.push_back({entry.key.substr(0, kShownKeyDigits),
                    record.ok() ? printable(record->engine) : "damaged",
                    record.ok() ? printable(record->library_version) : "", format_bytes(entry.size),
                    format_time(entry.last_used_ns, /*local=*/true),
                    record.ok() ? format_inputs(record->inputs) : ""});
  }
  if (!entries.empty()) fmt::print("{}\n", format_table(rows));
  fmt::print("{}: {}, {}\n", cache.folder(), format_count(entries.size()), format_bytes(total));
}

Json entry_json(const engine_build::EngineCache& cache,
                const engine_build::EngineCache::Entry& entry) {
  Json json;
  json["key"] = entry.key;
  json["size"] = entry.size;
  json["last_used"] = format_time(entry.last_used_ns, /*local=*/false);
  const auto record = cache.record(entry);
  if (!record.ok()) {
    json["error"] = record.error().message();
    return json;
  }
  json["engine"] = record->engine;
  json["library_version"] = record->library_version;
  json["device"] = record->device;
  json["inputs"] = Json::array();
  for (const engine::EngineTensor& input : record->inputs) {
    json["inputs"].push_back({{"name", input.name}, {"type", input.dtype}, {"sizes", input.sizes}});
  }
  return json;
}

Status list(const CacheArguments& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const engine_build::EngineCache cache, open_cache(options));
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, cache.entries());
  if (!options.json) {
    print_table(cache, entries);
    return {};
  }
  Json json;
  json["folder"] = cache.folder();
  json["engines"] = Json::array();
  for (const auto& entry : entries) json["engines"].push_back(entry_json(cache, entry));
  fmt::print("{}\n", engine::dump_json(json, 2));
  return {};
}

Status remove(const CacheArguments& options, uint64_t max_bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const engine_build::EngineCache cache, open_cache(options));
  SLIPWAY_ASSIGN_OR_RETURN(const auto removed, cache.prune(max_bytes));
  fmt::print("{}: removed {}, {}\n", cache.folder(), format_count(removed.entries),
             format_bytes(removed.bytes));
  return {};
}

Status prune(const CacheArguments& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t max_bytes, parse_byte_count(options.max_size));
  return remove(options, max_bytes);
}

Status clear(const CacheArguments& options) { return remove(options, 0); }

}  // namespace

void add_cache(const Command& tool, Action& action) {
  auto options = std::make_shared<CacheArguments>();
  const Command command = tool.add_command("cache", "Show or remove the engines that were kept");
  command.require_command();
  const auto add = [&](const char* name, const char* description,
                       Status (*run)(const CacheArguments&)) {
    const Command subcommand = command.add_command(name, description);
    subcommand.add_option(
        "--cache", options->folder,
        "The folder of the engine cache (default: " + engine_build::default_cache_folder() + ")");
    subcommand.footer("");
    subcommand.on_parsed([options, run, &action] { action = [=] { return run(*options); }; });
    return subcommand;
  };
  add("list", "List them; what was not used for longest comes first", list)
      .add_flag("--json", options->json, "Print JSON");
  add("prune", "Remove those that were not used for longest, until the rest is small enough", prune)
      .add_option("--max-size", options->max_size,
                  "What may stay: bytes, or a size such as 512MiB or 2GB")
      .required();
  add("clear", "Remove all of them", clear);
  command.footer(
      "\nExamples:\n"
      "  slipway cache list\n"
      "  slipway cache prune --max-size 2GB\n"
      "  slipway cache clear");
}

}  // namespace slipway::cli
