// How the tool writes numbers, tables and values.
#pragma once

#include <string>

#include "base/printable.h"
#include "inspect/text.h"
#include "slipway/tensor.h"

namespace slipway::cli {

using inspection::count_text;
using inspection::format_bytes;
using inspection::format_table;
using inspection::leaf_places;

// Few values in full, many as their range and mean.
std::string summarize(const Tensor& tensor);
std::string summarize(const Value& value);

}  // namespace slipway::cli
