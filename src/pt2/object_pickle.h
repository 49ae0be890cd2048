// The pickles of custom objects in an archive, as far as an object is a list of texts.
//
// This is no interpreter of Python: nothing is imported or called, and what such an object does not
// consist of is an error that names it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway::pt2 {

struct PickledObject {
  std::string type;                     // the class, or the function that makes it: "a.b.C"
  std::vector<std::string_view> state;  // texts, or bytes; not checked, in `owner`
  std::shared_ptr<const void> owner;
};

// Of a record "custom_obj_N", which is a zip of its own, or "opaque_obj_N", a plain pickle. `types`
// are the classes and functions that may make it; none is called. What PyTorch wrapped it in while
// it traced the program (a FakeScriptObject) is left away. `name` is for messages.
Result<PickledObject> read_object(const OwnedSpan& record, std::span<const std::string_view> types,
                                  const std::string& name);

}  // namespace slipway::pt2
