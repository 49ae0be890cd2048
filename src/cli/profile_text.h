// Where the time of runs went, for `slipway run --profile`.
#pragma once

#include <string>
#include <vector>

#include "base/file_writer.h"
#include "profile/profiler.h"
#include "slipway/result.h"

namespace slipway::cli {

// A table of instructions, those that take longest first, and one of the layers of engines.
std::string profile_text(const profile::Summary& summary);

// Whether it is a name that write_profile() takes: x.json, x.etdp, or - for no file.
Status check_profile_name(const std::string& path);
// Chrome's trace format, or an ETDump; an error where it would replace one of `inputs`.
Status write_profile(const std::string& path, const profile::Profiler& profiler,
                     const std::vector<FileIdentity>& inputs);

}  // namespace slipway::cli
