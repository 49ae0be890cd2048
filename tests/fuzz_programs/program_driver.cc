// Compiles and runs archives for run.py, many in one process: loading OpenVINO takes longer than a
// small program does.
//
// A request is a line of the standard input, fields separated by tabs: the engine (or "onnx": the
// lowered model is written), the archive, a file of inputs, the file to write, and rules to leave
// out, separated by commas. The answer is a line "ok", "refused" and the nodes that the engine's
// library did not take although they were given to it, or "error" and a message. When a library
// crashes, this process ends, and run.py starts another.
//
// A file of values: the number of sets, and for each the number of its values, or -1 and a message
// when a run failed. A value is its type's number, the rank, the sizes and the bytes; all numbers
// are little-endian int64, and a message is its length and text.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "slipway/slipway.h"

namespace slipway {
namespace {

constexpr int64_t kIntegerValue = -1;
constexpr int64_t kDoubleValue = -2;
constexpr int64_t kBoolValue = -3;
constexpr int64_t kNoValue = -4;

struct Request {
  std::string engine, archive, inputs, result, rules;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// run.py writes what this reads, so that nothing is checked.
class Reader {
 public:
  explicit Reader(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }

  int64_t number() {
    int64_t value = 0;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  Result<Tensor> tensor() {
    const auto dtype = static_cast<DType>(number());
    std::vector<int64_t> sizes(static_cast<size_t>(number()));
    for (int64_t& size : sizes) size = number();
    auto result = Tensor::zeros(dtype, std::move(sizes));
    if (!result.ok()) return result;
    if (result->nbytes() != 0) std::memcpy(result->data(), bytes_.data() + at_, result->nbytes());
    at_ += result->nbytes();
    return result;
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

class Writer {
 public:
  explicit Writer(const std::string& path) : file_(path, std::ios::binary) {}

  void number(int64_t value) { file_.write(reinterpret_cast<const char*>(&value), sizeof value); }

  void text(const std::string& text) {
    number(static_cast<int64_t>(text.size()));
    file_ << text;
  }

  void value(const Value& value) {
    if (const auto* tensor = std::get_if<Tensor>(&value)) {
      number(static_cast<int64_t>(tensor->dtype()));
      number(static_cast<int64_t>(tensor->sizes().size()));
      for (const int64_t size : tensor->sizes()) number(size);
      file_.write(static_cast<const char*>(tensor->data()),
                  static_cast<std::streamsize>(tensor->nbytes()));
    } else if (const auto* integer = std::get_if<int64_t>(&value)) {
      number(kIntegerValue);
      number(*integer);
    } else if (const auto* real = std::get_if<double>(&value)) {
      number(kDoubleValue);
      file_.write(reinterpret_cast<const char*>(real), sizeof *real);
    } else if (const auto* truth = std::get_if<bool>(&value)) {
      number(kBoolValue);
      number(*truth ? 1 : 0);
    } else {
      number(kNoValue);
    }
  }

 private:
  std::ofstream file_;
};

Status run_sets(const Method& method, const Request& request) {
  Reader reader(request.inputs);
  Writer writer(request.result);
  const int64_t sets = reader.number();
  writer.number(sets);
  for (int64_t set = 0; set < sets; ++set) {
    std::vector<Value> inputs;
    const int64_t count = reader.number();
    for (int64_t i = 0; i < count; ++i) {
      auto tensor = reader.tensor();
      if (!tensor.ok()) return tensor.error();
      inputs.emplace_back(std::move(*tensor));
    }
    const auto outputs = method.run(inputs);
    if (!outputs.ok()) {
      writer.number(-1);
      writer.text(outputs.error().message());
      continue;
    }
    writer.number(static_cast<int64_t>(outputs->size()));
    for (const Value& output : *outputs) writer.value(output);
  }
  return {};
}

// `refusals`: what was built without nodes that the engine's library refused, or crashed at.
Status handle(const Request& request, std::string& refusals) {
  const auto program = Program::load(request.archive);
  if (!program.ok()) return program.error();
  if (request.engine == "onnx") {
    const auto model = compile(*program, {.output = Output::kOnnx});
    return model.ok() ? model->save(request.result) : Status(model.error());
  }
  const auto engines = parse_engines(request.engine);
  if (!engines.ok()) return engines.error();
  CompileOptions options;
  options.engines = *engines;
  options.verify_passes = true;
  // run.py finds what the check would leave outside of engines.
  options.check = EngineCheck::kOff;
  for (EngineChoice& engine : options.engines) {
    const std::vector<EngineOption> known = engine_options(engine.name);
    const bool has_rules = std::any_of(known.begin(), known.end(), [](const EngineOption& option) {
      return option.name == std::string("disable_rule");
    });
    if (!has_rules || request.rules.empty()) continue;
    for (const std::string& rule : split(request.rules, ',')) {
      engine.options.emplace_back("disable_rule", rule);
    }
  }
  options.on_warning = [&](const std::string& message) {
    if (message.find("stays outside the engine") != std::string::npos) refusals += message + "\n";
  };
  const auto artefact = compile(*program, options);
  if (!artefact.ok()) return artefact.error();
  auto bytes = artefact->to_memory();
  if (!bytes.ok()) return bytes.error();
  auto module = Module::load(std::move(*bytes), "program");
  if (!module.ok()) return module.error();
  const auto method = module->method();
  return method.ok() ? run_sets(*method, request) : method.error();
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = '\r';
  }
  return text;
}

}  // namespace
}  // namespace slipway

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto fields = slipway::split(line, '\t');
    if (fields.size() != 5) {
      std::cout << "error a request has five fields" << std::endl;
      continue;
    }
    std::string refusals;
    const auto status =
        slipway::handle({fields[0], fields[1], fields[2], fields[3], fields[4]}, refusals);
    if (status.ok() && refusals.empty()) {
      std::cout << "ok" << std::endl;
    } else if (status.ok()) {
      std::cout << "refused " << slipway::one_line(refusals) << std::endl;
    } else {
      std::cout << "error " << slipway::one_line(status.error().message()) << std::endl;
    }
  }
  return 0;
}
