// Where mapped bytes lie in their file, for other processes that map it too.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/child_process.h"
#include "base/mapped_file.h"

namespace slipway {

// The file that the bytes are mapped from; null where no MappedFile has all of them. It is there as
// long as the bytes are.
const MappedFile* find_mapped_file(std::span<const std::byte> bytes);

// The file, open for reading. Nothing where its path names another one by now.
std::optional<Descriptor> reopen(const MappedFile& file);

}  // namespace slipway
