// Functions that several families of rules use.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "onnx/context.h"

namespace slipway::onnx {

// "add" of "aten.add.Tensor".
std::string_view base_name(const Context& c);
// "Tensor" of "aten.add.Tensor".
std::string_view overload_name(const Context& c);

// Whether all that reads a value, as it is or in another shape, are products and convolutions.
// Scaled (by a product or difference of elements): always on the way, or perhaps.
enum class Scaled : uint8_t { kYes, kMaybe };
bool feeds_products(const Context& c, const ir::Value* value, Scaled scaled);

Ref truncate(Context& c, const Ref& x);
// Rounds to minus infinity.
Ref floor_divide(Context& c, const Ref& a, const Ref& b);
// Exact near 0 too.
Ref expm1(Context& c, const Ref& x);
Ref log1p(Context& c, const Ref& x);
Ref softmax(Context& c, const Ref& x, int64_t axis, int64_t rank);

// Whether what is joined to a product over so many elements has to wait for it.
bool stands_apart(Context& c, const ir::SymInt& inner);
// A product over `inner` elements, y; over none it is 0.
Ref product(Context& c, const Ref& y, const ir::SymInt& inner);

// The sizes from `start` on; throws std::out_of_range as at() does where there are fewer.
Sizes tail(const Sizes& sizes, size_t start);
std::vector<int64_t> iota(int64_t count, int64_t start = 0);
// A list with one entry a dimension, of which one stands for all.
std::vector<int64_t> repeated(std::vector<int64_t> list, size_t count);

}  // namespace slipway::onnx
