// TensorRT's libraries, found and opened at run time: nothing of Slipway is linked with them.
#pragma once

#include <memory>
#include <string>

#include "base/shared_library.h"
#include "slipway/result.h"
#include "tensorrt/library/version.h"

namespace slipway::tensorrt {

// The environment variable that names the library, or its folder.
inline constexpr const char* kLibraryVariable = "SLIPWAY_TENSORRT_LIB";

struct LibraryOptions {
  // The library or its folder. Where it is empty, these are tried in order: what
  // SLIPWAY_TENSORRT_LIB names; libtensorrt_rtx.so.1, libnvinfer.so.11 and libnvinfer.so.10 where
  // the loader finds them; .deps/tensorrt-rtx beside the folder `build` that the program lies in,
  // where `make setup-tensorrt` puts it.
  std::string path = {};
  std::string program_folder = slipway::program_folder();
  // Only what builds needs the ONNX parser.
  bool with_parser = true;
};

// Immutable: any thread may use it. The libraries stay open until the process ends.
class Library {
 public:
  // Each call looks again. kUnavailable where there is none says how to get one; kUnsupported names
  // the version that is of no known family.
  static Result<std::shared_ptr<const Library>> open(const LibraryOptions& options = {});

  Version version() const { return version_; }
  // Of the files, as the loader found them. The parser lies beside the library or on the loader's
  // path; its path is empty where it is missing: then nothing can be built.
  const std::string& path() const { return path_; }
  const std::string& parser_path() const { return parser_path_; }

  // kUnavailable where the parser is missing, with the remedy.
  Status require_parser() const;

  // The entry points, for the classes of this folder. Each returns null where the library refuses;
  // `parser` also where parser_path() is empty.
  void* create_builder(void* logger) const;
  void* create_runtime(void* logger) const;
  void* create_parser(void* network, void* logger) const;

 private:
  using Create = void* (*)(void* logger, int32_t version);
  using CreateParser = void* (*)(void* network, void* logger, int32_t version);

  Library(Version version, std::string path) : version_(version), path_(std::move(path)) {}
  static Result<std::shared_ptr<const Library>> load(const std::string& file, bool with_parser);
  static Result<std::shared_ptr<const Library>> of(void* handle, const std::string& file,
                                                   bool with_parser);
  void open_parser();

  Version version_;
  int32_t number_ = 0;
  std::string path_;
  Create create_builder_ = nullptr;
  Create create_runtime_ = nullptr;
  std::string parser_path_;
  std::string no_parser_ = "it was not asked for";  // or the loader's reason
  CreateParser create_parser_ = nullptr;
  int32_t parser_version_ = 0;
};

using LibraryPointer = std::shared_ptr<const Library>;

}  // namespace slipway::tensorrt
