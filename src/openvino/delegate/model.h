// Models that OpenVINO has imported, each for one engine or for several.
#pragma once

#include <memory>
#include <string>

#include <executorch/runtime/core/freeable_buffer.h>

#include "openvino/shim/shim.h"

namespace slipway::openvino {

// Begins what is logged.
inline constexpr const char* kTitle = "OpenVINO engine";

using ModelPointer = std::shared_ptr<shim::Model>;

// `blob` is used in place and must outlive the model. Null after an error, which is logged. Any
// thread may call it.
ModelPointer import_model(const executorch::runtime::FreeableBuffer& blob,
                          const std::string& device, shim::Properties properties);

// The model of equal bytes, device and properties that this gave before and that somebody still
// has, or a new one. Takes `blob` over and frees it: at once, or where the new model uses it, with
// that. It must stay valid so long, whatever becomes of the program that it is of. One model after
// another is imported. The rest likewise.
ModelPointer share_model(executorch::runtime::FreeableBuffer& blob, const std::string& device,
                         shim::Properties properties);

// Appends to the text.
shim::Report report_to(std::string* text);

}  // namespace slipway::openvino
