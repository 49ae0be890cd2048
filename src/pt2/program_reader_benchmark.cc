#include <benchmark/benchmark.h>

#include "base/json.h"
#include "base/mapped_file.h"
#include "pt2/program_reader.h"
#include "pt2/zip_reader.h"

namespace slipway::pt2 {
namespace {

constexpr char kArchive[] = SLIPWAY_TEST_DATA "/golden/llama_prefill.core.pt2";

void read_whole_program(benchmark::State& state) {
  for (auto _ : state) {
    auto program = read_program(kArchive);
    if (!program.ok()) state.SkipWithError(program.error().message().c_str());
    benchmark::DoNotOptimize(program);
  }
}
BENCHMARK(read_whole_program)->Unit(benchmark::kMicrosecond);

void parse_model_json(benchmark::State& state) {
  const auto file = MappedFile::open(kArchive);
  if (!file.ok()) return state.SkipWithError(file.error().message().c_str());
  auto archive = ZipReader::open(OwnedSpan{(*file)->bytes(), *file}, kArchive);
  if (!archive.ok()) return state.SkipWithError(archive.error().message().c_str());
  auto entry = archive->read("llama_prefill.core/models/model.json");
  if (!entry.ok()) return state.SkipWithError(entry.error().message().c_str());
  const std::string_view text(reinterpret_cast<const char*>(entry->bytes.data()),
                              entry->bytes.size());
  for (auto _ : state) {
    auto document = JsonDocument::parse(text, "model.json");
    benchmark::DoNotOptimize(document);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(parse_model_json)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace slipway::pt2
