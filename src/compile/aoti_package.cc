#include "compile/aoti_package.h"

#include <string>
#include <utility>
#include <variant>

#include <fmt/core.h>

#include "base/error.h"
#include "base/processor.h"
#include "base/try.h"
#include "pt2/tree_writer.h"
#include "pt2/zip_reader.h"
#include "pt2/zip_writer.h"
#include "runtime/plan.h"
#include "runtime/signature.h"

namespace slipway {
namespace {

constexpr const char* kRoot = "model";
constexpr const char* kLibrary = "data/aotinductor/model/model.wrapper.so";
// PyTorch before 2.14 finds the metadata by the name of the source that its own packages have. What
// is in it is compiled only where there is no library.
constexpr const char* kSource = "data/aotinductor/model/model.wrapper.cpp";
constexpr const char* kMetadata = "data/aotinductor/model/model.wrapper_metadata.json";

// PyTorch takes numbers as tensors, and nothing as no tensor.
bool is_taken(const ValueInfo& output) {
  const auto* literal = std::get_if<LiteralInfo>(&output.type);
  return literal == nullptr || !std::holds_alternative<std::string>(literal->value);
}

}  // namespace

PieceList aoti_package(PieceList library, const char* device) {
  pt2::ZipWriter zip(kRoot);
  zip.add(kLibrary, source_of(std::move(library)));
  zip.add(kMetadata, fmt::format(R"({{"AOTI_DEVICE_KEY": "{}", "AOTI_PLATFORM": "linux", )"
                                 R"("AOTI_MACHINE": "{}"}})",
                                 device, kMachine));
  zip.add(kSource, std::string("// model.wrapper.so is all of it\n"));
  zip.add("archive_format", std::string("pt2"));
  zip.add("archive_version", std::string("0"));
  zip.add(".data/version", std::string("6\n"));
  zip.add("byteorder", std::string("little"));
  zip.add_serialization_id(".data/serialization_id");
  PieceList pieces;
  pieces.add(std::move(zip).finish());
  return pieces;
}

Result<OwnedSpan> library_of_package(const OwnedSpan& package, const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(const pt2::ZipReader zip, pt2::ZipReader::open(package, name));
  const pt2::ZipEntry* entry = zip.find(std::string(kRoot) + "/" + kLibrary);
  if (entry == nullptr || entry->method != 0) {
    return invalid_file("{} is no package of AOTInductor that Slipway wrote", name);
  }
  return OwnedSpan{package.bytes.subspan(entry->data_offset, entry->size), package.owner};
}

Status check_callable_by_pytorch(const pte::File& file) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto signature,
                           runtime::Signature::create(file, runtime::method_names(file).front()));
  const auto& inputs = signature.inputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!signature.is_chosen(i)) continue;
    return unsupported(
        "input {} '{}' is {}, but PyTorch's loader of packages passes tensors alone, which is why "
        "AOTInductor compiles no such model, too: export it with a tensor in its place",
        i, inputs[i].name, inputs[i].type_text());
  }
  const auto& outputs = signature.outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (is_taken(outputs[i])) continue;
    return unsupported(
        "output {} '{}' is {}, but PyTorch's loader of packages takes tensors, numbers and None "
        "alone: leave it out of what the model returns",
        i, outputs[i].name, outputs[i].type_text());
  }
  for (const Tree* tree : {&signature.input_tree(), &signature.output_tree()}) {
    SLIPWAY_RETURN_IF_ERROR(pt2::write_tree(*tree));
  }
  return {};
}

}  // namespace slipway
