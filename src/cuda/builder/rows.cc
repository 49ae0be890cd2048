#include "cuda/builder/rows.h"

#include <string_view>

#include <fmt/format.h>

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Up to this many elements a thread takes a row alone.
constexpr int64_t kShort = 64;
// Sums of more float32 are added in float64: one after the other, they would lose digits.
constexpr int64_t kMostSummed = 4096;
// So many elements of a thread are taken without a loop.
constexpr int64_t kMostUnrolled = 8;

}  // namespace

Rows::Form Rows::form_for(const SymInt& length) {
  const auto known = length.constant();
  return known && *known <= kShort ? Form::kThread : Form::kBlock;
}

Rows::Rows(Kernel& kernel, const Sizes& sizes, Form form) : kernel_(kernel), form_(form) {
  const SymInt count = ir::numel(sizes);
  if (form == Form::kThread) {
    row_ = kernel.thread_of(count);
  } else {
    kernel.set_grid(count);
    kernel.set_block(Kernel::kBlock);
    row_ = kernel.let("Index", "(Index)blockIdx.x + 0");
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
  if (form_ == Form::kBlock) {
    kernel_.line(fmt::format("S_BLOCK_REDUCE({}, {}, {}, {}())", kept, sum, sum, combine));
  }
  return is_wide ? kernel_.let("float", fmt::format("(float){}", sum)) : sum;
}

void Rows::each(const SymInt& length, const std::function<void(const std::string&)>& body) {
  const std::string i = kernel_.fresh("i");
  const std::string count = kernel_.number(length);
  const bool is_block = form_ == Form::kBlock;
  const auto known = length.constant();
  if (is_block && known && *known <= kMostUnrolled * Kernel::kBlock) {
    // All of them are loaded before the first is waited for.
    const std::string turn = kernel_.fresh("i");
    kernel_.line("#pragma unroll");
    kernel_.open(fmt::format("for (int {0} = 0; {0} < {1}; ++{0})", turn,
                             (*known + Kernel::kBlock - 1) / Kernel::kBlock));
    kernel_.line(
        fmt::format("const Index {} = (Index)threadIdx.x + {} * {};", i, turn, Kernel::kBlock));
    kernel_.open(*known % Kernel::kBlock == 0 ? "" : fmt::format("if ({} < {})", i, count));
    body(i);
    kernel_.close();
    kernel_.close();
    return;
  }
  kernel_.open(fmt::format("for (Index {0} = {1}; {0} < {2}; {0} += {3})", i,
                           is_block ? "threadIdx.x" : "0", count, is_block ? Kernel::kBlock : 1));
  body(i);
  kernel_.close();
}

void Rows::once(const std::function<void()>& body) {
  if (form_ == Form::kThread) return body();
  kernel_.open("if (threadIdx.x == 0)");
  body();
  kernel_.close();
}

}  // namespace slipway::cuda
