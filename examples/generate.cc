// Continues a text of tokens with a decoder, greedily: generate MODEL.pte --tokens 1,2,3
// [--max-new-tokens 16]
//
// The model has two methods that share its cache (examples/export_llama.py, `slipway compile
// --share-buffers`): `prefill` takes all tokens of the text at once and `decode` one, both with
// their positions, and each gives the logits of what follows the last.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <slipway/module.h>

namespace {

using slipway::DType;
using slipway::Tensor;

constexpr const char* kUsage = "usage: generate MODEL.pte --tokens 1,2,3 [--max-new-tokens 16]\n";

struct Options {
  const char* model = nullptr;
  std::vector<int64_t> tokens;
  int64_t most = 16;
};

// Nothing unless all of the text is one number.
std::optional<int64_t> read_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

std::optional<Options> read_options(int argc, char** argv) {
  Options options;
  if (argc < 2 || argc % 2 != 0) return std::nullopt;
  options.model = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string_view name = argv[i];
    std::string_view value = argv[i + 1];
    if (name == "--max-new-tokens") {
      const auto most = read_number(value);
      if (!most) return std::nullopt;
      options.most = *most;
    } else if (name == "--tokens") {
      while (true) {
        const size_t comma = value.find(',');
        const auto token = read_number(value.substr(0, comma));
        if (!token) return std::nullopt;
        options.tokens.push_back(*token);
        if (comma == std::string_view::npos) break;
        value.remove_prefix(comma + 1);
      }
    } else {
      return std::nullopt;
    }
  }
  if (options.tokens.empty()) return std::nullopt;
  return options;
}

slipway::Result<Tensor> integers(std::vector<int64_t> sizes, const int64_t* values) {
  auto tensor = Tensor::zeros(DType::kInt64, std::move(sizes));
  if (tensor.ok()) std::copy_n(values, tensor->numel(), tensor->data_as<int64_t>());
  return tensor;
}

// The token with the largest logit after `tokens`, of which the first is at `position`.
slipway::Result<int64_t> next_token(const slipway::Method& method,
                                    const std::vector<int64_t>& tokens, int64_t position) {
  const auto count = static_cast<int64_t>(tokens.size());
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < count; ++i) positions.push_back(position + i);
  const auto given = integers({1, count}, tokens.data());
  if (!given.ok()) return given.error();
  const auto places = integers({count}, positions.data());
  if (!places.ok()) return places.error();
  const auto outputs = method.run({*given, *places});
  if (!outputs.ok()) return outputs.error();
  const auto* logits = outputs->size() == 1 ? std::get_if<Tensor>(&outputs->front()) : nullptr;
  if (logits == nullptr || logits->dtype() != DType::kFloat32 || logits->numel() == 0) {
    return slipway::Error(slipway::ErrorCode::kInvalidArgument,
                          method.name() + " gives other outputs than logits of float32");
  }
  const auto* first = logits->data_as<float>();
  return std::max_element(first, first + logits->numel()) - first;
}

// Writes the tokens, and to stderr how long it took.
slipway::Status generate(const Options& options) {
  using Clock = std::chrono::steady_clock;
  // Engines of GPUs then start a step as one.
  const auto module = slipway::Module::load(options.model, {.cuda_graphs = true});
  if (!module.ok()) return module.error();
  const auto prefill = module->method("prefill");
  if (!prefill.ok()) return prefill.error();
  const auto decode = module->method("decode");
  if (!decode.ok()) return decode.error();
  for (const auto* method : {&*prefill, &*decode}) {
    if (const auto prepared = method->prepare(); !prepared.ok()) return prepared.error();
  }

  // As many tokens as the cache has room for: an engine may not look at where it writes.
  const auto* text = prefill->inputs().empty() ? nullptr : prefill->inputs().front().tensor();
  const auto room = text != nullptr && text->sizes.size() == 2 ? text->sizes[1].max : 0;
  const auto count = static_cast<int64_t>(options.tokens.size());
  if (count > room) {
    return slipway::Error(slipway::ErrorCode::kInvalidArgument,
                          "the model takes " + std::to_string(room) + " tokens, and " +
                              std::to_string(count) + " are given");
  }
  const int64_t most = std::min(options.most, room - count + 1);

  const auto begin = Clock::now();
  auto position = count;
  auto token = next_token(*prefill, options.tokens, 0);
  const auto prefilled = Clock::now();
  int64_t written = 0;
  while (token.ok() && written < most) {
    std::printf(written == 0 ? "%lld" : ",%lld", static_cast<long long>(*token));
    std::fflush(stdout);
    if (++written < most) token = next_token(*decode, {*token}, position++);
  }
  std::printf("\n");
  if (!token.ok()) return token.error();
  const std::chrono::duration<double> first = prefilled - begin;
  const std::chrono::duration<double> rest = Clock::now() - prefilled;
  std::fprintf(stderr, "prefill: %zu tokens, %.1f tokens per second\n", options.tokens.size(),
               static_cast<double>(options.tokens.size()) / first.count());
  if (most < options.most) std::fputs("the cache is full\n", stderr);
  if (written < 2) return {};
  std::fprintf(stderr, "decode: %lld tokens, %.1f tokens per second\n",
               static_cast<long long>(written - 1),
               static_cast<double>(written - 1) / rest.count());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  if (!options) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const auto done = generate(*options);
  if (done.ok()) return 0;
  std::fprintf(stderr, "generate: %s\n", done.error().message().c_str());
  return 1;
}
