// How a program's inputs and outputs nest: PyTorch's pytree without Python.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "slipway/export.h"

namespace slipway {

struct Tree {
  enum class Kind : uint8_t { kLeaf, kNone, kTuple, kList, kDict, kNamedTuple };

  Kind kind = Kind::kLeaf;
  // kDict: the keys as text, one a child. kNamedTuple: the field names, where known.
  std::vector<std::string> keys;
  // kNamedTuple: the type's name. Other Python types that nest (OrderedDict, defaultdict, deque,
  // registered classes) are their nearest kind here, and carry their Python name in it.
  std::string type_name;
  std::vector<Tree> children;
  // What PyTorch keeps of a dict whose keys are not all texts, and of a type named by `type_name`
  // but for named tuples: its TreeSpec's context, as JSON. Else empty.
  std::string context = {};

  SLIPWAY_API int64_t leaf_count() const;
  // A path a leaf, in flattened order, such as "[0]['mask'].logits"; a lone leaf is "".
  SLIPWAY_API std::vector<std::string> leaf_paths() const;
  // As Python prints it, with `leaves[i]` for each leaf: "({'a': x, 'b': [y]}, None)".
  SLIPWAY_API std::string to_string(const std::vector<std::string>& leaves) const;

  bool operator==(const Tree&) const = default;
};

}  // namespace slipway
