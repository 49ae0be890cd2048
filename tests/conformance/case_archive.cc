#include "case_archive.h"

#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "slipway/npy.h"

namespace slipway::conformance {

Result<CaseArchive> CaseArchive::open(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  SLIPWAY_ASSIGN_OR_RETURN(pt2::ZipReader zip, pt2::ZipReader::open({file->bytes(), file}, path));
  CaseArchive archive(std::move(zip));
  SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan text, archive.zip_.read("index.json"));
  const auto* begin = reinterpret_cast<const char*>(text.bytes.data());
  nlohmann::json index = nlohmann::json::parse(begin, begin + text.bytes.size());
  for (nlohmann::json& test : index["cases"]) {
    archive.cases_.push_back({test["name"], test["tolerance"], std::move(test["runs"])});
  }
  return archive;
}

Result<OwnedSpan> CaseArchive::read(const std::string& name) {
  if (const auto found = entries_.find(name); found != entries_.end()) return found->second;
  SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan bytes, zip_.read(name));
  return entries_.emplace(name, std::move(bytes)).first->second;
}

Result<std::vector<Value>> CaseArchive::values(const nlohmann::json& descriptions) {
  std::vector<Value> result;
  for (const nlohmann::json& item : descriptions) {
    if (item.is_null()) {
      result.emplace_back();
    } else if (item.contains("int")) {
      result.emplace_back(item["int"].get<int64_t>());
    } else {
      const auto name = item["file"].get<std::string>();
      SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan bytes, read(name));
      SLIPWAY_ASSIGN_OR_RETURN(const Tensor stored, read_npy(bytes.bytes, name));
      const auto dtype = dtype_from_name(item["dtype"].get<std::string>());
      if (!dtype) return internal_error("{}: {} is no type", name, item["dtype"].dump());
      // NumPy lacks bfloat16: the same bits are stored as another type.
      const auto owner = std::make_shared<Tensor>(stored);
      SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, Tensor::share(owner, owner->data(), owner->nbytes(),
                                                            *dtype, owner->sizes()));
      result.emplace_back(std::move(tensor));
    }
  }
  return result;
}

}  // namespace slipway::conformance
