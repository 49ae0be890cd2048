#include "cuda/builder/rows.h"

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Up to this many elements a thread takes a row alone.
constexpr int64_t kShort = 64;
// And a warp up to this many, where there are so many rows that blocks would take turns.
constexpr int64_t kMostOfWarp = 1024;
constexpr int64_t kManyRows = 1024;
constexpr int kWarp = 32;
// Sums of more float32 are added in float64: one after the other, they would lose digits.
constexpr int64_t kMostSummed = 4096;
// So many elements of a thread are taken without a loop.
constexpr int64_t kMostUnrolled = 8;

}  // namespace

Rows::Form Rows::form_for(const Sizes& rows, const SymInt& length) {
  const int64_t known = length.constant().value_or(INT64_MAX);
  if (known <= kShort) return Form::kThread;
  const bool are_many = ir::numel(rows).constant().value_or(0) >= kManyRows;
  return known <= kMostOfWarp && are_many ? Form::kWarp : Form::kBlock;
}

Rows::Rows(Kernel& kernel, const Sizes& sizes, Form form) : kernel_(kernel), form_(form) {
  const SymInt count = ir::numel(sizes);
  if (form == Form::kThread) {
    row_ = kernel.thread_of(count);
  } else {
    const bool is_warp = form == Form::kWarp;
    constexpr int kWarps = Kernel::kBlock / kWarp;
    kernel.set_grid(is_warp ? SymInt::floordiv(count + (kWarps - 1), kWarps) : count);
    kernel.set_block(Kernel::kBlock);
    row_ = kernel.let(
        "Index", is_warp ? fmt::format("(Index)blockIdx.x * {} + threadIdx.x / {}", kWarps, kWarp)
                         : "(Index)blockIdx.x + 0");
    if (is_warp) kernel.line(fmt::format("if ({} >= {}) return;", row_, kernel.number(count)));
  }
  at_ = kernel.unravel(row_, sizes);
}

Rows::Rows(Kernel& kernel, const Value& value)
    : kernel_(kernel),
      form_(Form::kThread),
      row_(kernel.thread_of(ir::numel(value.sizes))),
      at_(kernel.unravel(row_, value)) {}

std::string Rows::reduce(const std::string& type, const std::string& initial, const char* combine,
                         const SymInt& length,
                         const std::function<std::string(const std::string&)>& element) {
  const auto known = length.constant();
  const bool is_wide =
      type == "float" && std::string_view(combine) == "s_sum" && (!known || *known > kMostSummed);
  const std::string kept = is_wide ? "double" : type;
  const std::string sum = kernel_.fresh("a");
  kernel_.line(fmt::format("{} {} = {};", kept, sum, initial));
  each(length, [&](const std::string& i) {
    const std::string value = element(i);
    const std::string added = is_wide ? fmt::format("(double)({})", value) : value;
    kernel_.line(fmt::format("{0} = {1}()({0}, {2});", sum, combine, added));
  });
  if (form_ == Form::kWarp) {
    kernel_.line(fmt::format("{1} = s_of_lanes<{0}>({1}, 16, {2}());", kept, sum, combine));
  }
  if (form_ == Form::kBlock) {
    kernel_.line(fmt::format("S_BLOCK_REDUCE({}, {}, {}, {}())", kept, sum, sum, combine));
  }
  return is_wide ? kernel_.let("float", fmt::format("(float){}", sum)) : sum;
}

void Rows::each(const SymInt& length, const std::function<void(const std::string&)>& body) {
  const std::string i = kernel_.fresh("i");
  const std::string count = kernel_.number(length);
  const int threads = form_ == Form::kThread ? 1 : form_ == Form::kWarp ? kWarp : Kernel::kBlock;
  const std::string first = form_ == Form::kThread ? "0"
                            : form_ == Form::kWarp ? fmt::format("threadIdx.x % {}", kWarp)
                                                   : "threadIdx.x";
  const auto known = length.constant();
  if (threads > 1 && known && *known <= kMostUnrolled * Kernel::kBlock) {
    // All of them are loaded before the first is waited for.
    const std::string turn = kernel_.fresh("i");
    kernel_.line("#pragma unroll");
    kernel_.open(
        fmt::format("for (int {0} = 0; {0} < {1}; ++{0})", turn, (*known + threads - 1) / threads));
    kernel_.line(fmt::format("const Index {} = (Index)({}) + {} * {};", i, first, turn, threads));
    kernel_.open(*known % threads == 0 ? "" : fmt::format("if ({} < {})", i, count));
    body(i);
    kernel_.close();
    kernel_.close();
    return;
  }
  kernel_.open(
      fmt::format("for (Index {0} = {1}; {0} < {2}; {0} += {3})", i, first, count, threads));
  body(i);
  kernel_.close();
}

void Rows::once(const std::function<void()>& body) {
  if (form_ == Form::kThread) return body();
  kernel_.open(form_ == Form::kWarp ? fmt::format("if (threadIdx.x % {} == 0)", kWarp)
                                    : "if (threadIdx.x == 0)");
  body();
  kernel_.close();
}

}  // namespace slipway::cuda
