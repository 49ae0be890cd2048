// Writes custom objects that are a list of texts, as archives keep them (object_pickle.h reads
// them).
#pragma once

#include <string_view>
#include <vector>

#include "base/byte_source.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// A record "opaque_obj_N": a plain pickle of protocol 4 that has `function` ("a.b.f") make the
// object of the list. Texts may have any length.
ByteSource write_opaque_object(std::string_view function, std::vector<ByteSource> texts);

// A record "custom_obj_N": a zip file with a pickle of protocol 2, as TorchScript writes an
// instance of `type` ("__torch__.torch.classes.a.C") whose state is the list. kUnsupported for a
// text past the 4 GiB that TorchScript reads.
Result<ByteSource> write_custom_object(std::string_view type, std::vector<ByteSource> texts);

}  // namespace slipway::pt2
