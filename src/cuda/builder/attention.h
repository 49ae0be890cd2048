// Attention in one kernel (attention.txt): a product of half types, what is pointwise behind it,
// softmax, and a product with values. The scores are never in memory.
#pragma once

#include "cuda/builder/matrices.h"
#include "cuda/builder/rule.h"

namespace slipway::cuda {

// Whether the node is a product whose result goes through pointwise nodes into a softmax, and that
// into a product, so that attend() may take it.
bool gives_scores(Rule& r, const MatrixProduct& product);
// Whether the softmax at hand is over the scores of such a product.
bool weighs_scores(Rule& r, const Value& scores, size_t axis);

// Defines the result of the node, a product of what a softmax gives; false where it does not have
// this form.
bool attend(Rule& r, const MatrixProduct& product, const Sizes& sizes);

}  // namespace slipway::cuda
