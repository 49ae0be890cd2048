#include "cuda/builder/matrices.h"

namespace slipway::cuda {

using ir::SymInt;

Indices batch_of(const Indices& batch, const Sizes& own) {
  Indices at;
  for (size_t i = 0; i < own.size(); ++i) {
    at.push_back(own[i] == SymInt(1) ? "0" : batch.at(batch.size() - own.size() + i));
  }
  return at;
}

Indices Matrices::at(const Indices& place, const std::string& row, const std::string& k) const {
  Indices at = batch_of(place, batch);
  at.resize(value->sizes.size(), "0");
  if (row_dimension < at.size()) at[row_dimension] = row;
  at[k_dimension] = k;
  return at;
}

TiledOperand tiled_operand(Generator& generator, const Matrices& x, const Sizes& batch,
                           DType type) {
  TiledOperand operand;
  operand.element = [x](Kernel& k, const Indices& place, const std::string& row,
                        const std::string& depth) {
    return k.read(*x.value, x.at(place, row, depth));
  };
  const auto view = view_of(*x.value);
  if (!view) return operand;
  TiledView from = {*view, batch, Sizes(batch.size(), 0), {}, 1, 0, view->strides[x.k_dimension]};
  const size_t shift = batch.size() - x.batch.size();
  if (!view->repeats.empty()) from.batch_repeats = Sizes(batch.size(), 1);
  for (size_t i = 0; i < view->strides.size(); ++i) {
    const bool is_repeated = !view->repeats.empty() && view->repeats[i] != SymInt(1);
    if (i >= x.batch.size()) {
      if (is_repeated) return operand;
      continue;
    }
    if (x.batch[i] == SymInt(1)) continue;
    from.batch_strides[i + shift] = view->strides[i];
    if (is_repeated) from.batch_repeats[i + shift] = view->repeats[i];
  }
  if (x.row_dimension < view->strides.size()) from.row_stride = view->strides[x.row_dimension];
  load_by_vectors(generator, operand, from, type);
  return operand;
}

DType type_in_memory(const Matrices& x) {
  const auto view = view_of(*x.value);
  return view ? memory_dtype(*view->base) : DType::kFloat32;
}

}  // namespace slipway::cuda
