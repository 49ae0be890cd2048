#include "ir/equal_constants.h"

#include <utility>

#include "base/hash.h"
#include "base/try.h"

namespace slipway::ir {

namespace {

template <class Hash>
Status add_hash(const ConstantData& data, std::optional<std::string>& hex) {
  if (hex) return {};
  Hash hash;
  SLIPWAY_RETURN_IF_ERROR(data.source().write([&hash](std::span<const std::byte> bytes) {
    hash.update(bytes);
    return Status();
  }));
  hex = hash.hex();
  return {};
}

}  // namespace

Result<bool> EqualConstants::same(Constant& a, Constant& b) {
  for (Constant* one : {&a, &b}) SLIPWAY_RETURN_IF_ERROR(add_hash<Xxh3>(one->data, one->xxh3));
  if (*a.xxh3 != *b.xxh3) return false;
  for (Constant* one : {&a, &b}) SLIPWAY_RETURN_IF_ERROR(add_hash<Sha256>(one->data, one->sha256));
  return *a.sha256 == *b.sha256;
}

Result<size_t> EqualConstants::add(const ConstantData& data) {
  Place place{data.storage.bytes.data(), data.nbytes(), data.storage_offset, data.sizes,
              data.strides};
  const auto known = places_.find(place);
  if (known != places_.end()) return known->second;
  const size_t number = constants_.size();
  Constant constant{data, std::nullopt, std::nullopt};
  if (data.nbytes() <= data.storage.bytes.size()) {
    std::vector<size_t>& others = by_size_[data.nbytes()];
    for (const size_t other : others) {
      SLIPWAY_ASSIGN_OR_RETURN(const bool is_same, same(constants_[other], constant));
      if (!is_same) continue;
      places_.emplace(std::move(place), other);
      return other;
    }
    others.push_back(number);
  }
  constants_.push_back(std::move(constant));
  places_.emplace(std::move(place), number);
  return number;
}

}  // namespace slipway::ir
