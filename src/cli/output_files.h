// Tensors written as files into one folder.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/file_writer.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::cli {

// The name as a file's: letters, digits and "._-" stay, all else is %XX, as is a leading dot; a
// long name ends in its hash. Distinct names stay distinct.
std::string file_name_of(const std::string& name);

// `<name>.npy` for each tensor, in a folder that is made where it is missing. Types that NumPy
// lacks are stored as unsigned integers of their size. Names that give one file, also where the
// file system does not tell upper from lower case, are an error before anything is written, as is a
// file that would replace one of `inputs`; here and below.
Status write_tensors(const std::string& folder,
                     const std::vector<std::pair<std::string, Tensor>>& tensors,
                     const std::vector<FileIdentity>& inputs = {});

// Whether the folder is one that files can be written to, or can be made.
Status check_folder(const std::string& folder);

// 0.npy, 1.npy, ... and outputs.json (docs/formats/outputs.md).
Status write_outputs(const std::string& folder, const std::vector<Value>& values,
                     const std::vector<ValueInfo>& infos, const Tree& tree,
                     const std::vector<FileIdentity>& inputs = {});

}  // namespace slipway::cli
