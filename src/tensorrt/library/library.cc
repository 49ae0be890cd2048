#include "tensorrt/library/library.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/shared_library.h"
#include "base/try.h"

namespace slipway::tensorrt {
namespace {

namespace fs = std::filesystem;

struct Names {
  const char* library;
  const char* parser;
};
constexpr auto kNames = std::to_array<Names>({
    {"libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1"},
    {"libnvinfer.so.11", "libnvonnxparser.so.11"},
    {"libnvinfer.so.10", "libnvonnxparser.so.10"},
});

const char* parser_name(Version version) {
  switch (version.family) {
    case Family::kRtx:
      return kNames[0].parser;
    case Family::kT11:
      return kNames[1].parser;
    case Family::kT10:
      return kNames[2].parser;
  }
  return "";
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The library in a folder; empty if there is none.
std::string in_folder(const fs::path& folder) {
  for (const Names& names : kNames) {
    if (is_there(folder / names.library)) return folder / names.library;
  }
  return "";
}

// What a person named: a file, or a folder with a library.
Result<std::string> named_file(const std::string& path, const std::string& by) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (is_there(path)) return path;
    return not_found("{}, which {} names, does not exist", path, by);
  }
  std::string file = in_folder(path);
  if (!file.empty()) return file;
  return not_found("{}, which {} names, has none of {}, {} and {}", path, by, kNames[0].library,
                   kNames[1].library, kNames[2].library);
}

// Where `make setup-tensorrt` put it for a program in build/<preset>/ or below; empty elsewhere.
std::string in_checkout(const std::string& program_folder) {
  for (fs::path folder = program_folder; folder.has_relative_path();
       folder = folder.parent_path()) {
    if (folder.filename() == "build") return in_folder(folder.parent_path() / ".deps/tensorrt-rtx");
  }
  return "";
}

// Without a GPU, createInferRuntime of TensorRT 10 and 11 logs an error and gives 0x228, the place
// of an object within none.
void* object_or_null(void* object) {
  constexpr uintptr_t kNeverMapped = 4096;
  return reinterpret_cast<uintptr_t>(object) < kNeverMapped ? nullptr : object;
}

template <class Function>
Function find(void* library, const char* name) {
  return reinterpret_cast<Function>(::dlsym(library, name));
}

}  // namespace

Result<LibraryPointer> Library::open(const LibraryOptions& options) {
  if (!options.path.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string file,
                             named_file(options.path, "option 'tensorrt_lib'"));
    return load(file, options.with_parser);
  }
  if (const char* variable = std::getenv(kLibraryVariable); variable != nullptr && *variable != 0) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string file, named_file(variable, kLibraryVariable));
    return load(file, options.with_parser);
  }
  std::string reason;
  for (const Names& names : kNames) {
    if (void* const library = ::dlopen(names.library, RTLD_NOW | RTLD_LOCAL)) {
      return of(library, names.library, options.with_parser);
    }
    // The loader says so of a library that is there and does not open, too.
    const std::string error = ::dlerror();
    if (error.find("cannot open shared object file: No such file") == std::string::npos) {
      reason = fmt::format(" ({})", error);
    }
  }
  if (const std::string file = in_checkout(options.program_folder); !file.empty())
    return load(file, options.with_parser);
  return unavailable(
      "there is no TensorRT on this machine: none of {}, {} and {} opens{}. Name one with "
      "option 'tensorrt_lib' or {}, put it on LD_LIBRARY_PATH, or get TensorRT-RTX by `make "
      "setup-tensorrt`",
      kNames[0].library, kNames[1].library, kNames[2].library, reason, kLibraryVariable);
}

Result<LibraryPointer> Library::load(const std::string& file, bool with_parser) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return unavailable("{} does not open: {}", file, ::dlerror());
  return of(library, file, with_parser);
}

Result<LibraryPointer> Library::of(void* handle, const std::string& file, bool with_parser) {
  const auto number = find<int32_t (*)()>(handle, "getInferLibVersion");
  if (number == nullptr) return unsupported("{} is no TensorRT: it lacks getInferLibVersion", file);
  const std::string path = library_of(reinterpret_cast<const void*>(number));
  SLIPWAY_ASSIGN_OR_RETURN(const Version version, Version::from_number(number(), path));

  auto library = std::shared_ptr<Library>(new Library(version, path));
  library->number_ = number();
  library->create_builder_ = find<Create>(handle, "createInferBuilder_INTERNAL");
  library->create_runtime_ = find<Create>(handle, "createInferRuntime_INTERNAL");
  if (library->create_runtime_ == nullptr) {
    return unsupported("{} is no TensorRT: it lacks createInferRuntime_INTERNAL", path);
  }
  if (with_parser) library->open_parser();
  return LibraryPointer(std::move(library));
}

void Library::open_parser() {
  const char* const name = parser_name(version_);
  const fs::path beside = fs::path(path_).parent_path() / name;
  void* const parser = ::dlopen(is_there(beside) ? beside.c_str() : name, RTLD_NOW | RTLD_LOCAL);
  if (parser == nullptr) {
    no_parser_ = ::dlerror();
    return;
  }
  create_parser_ = find<CreateParser>(parser, "createNvOnnxParser_INTERNAL");
  const auto version = find<int32_t (*)()>(parser, "getNvOnnxParserVersion");
  if (create_parser_ == nullptr || version == nullptr) {
    no_parser_ = fmt::format("{} is no ONNX parser of TensorRT", name);
    return;
  }
  parser_version_ = version();
  parser_path_ = library_of(reinterpret_cast<const void*>(version));
}

Status Library::require_parser() const {
  if (!parser_path_.empty()) return {};
  return unavailable("{} at {} has no ONNX parser: put {} beside it or on LD_LIBRARY_PATH ({})",
                     version_.name(), path_, parser_name(version_), no_parser_);
}

void* Library::create_builder(void* logger) const {
  return create_builder_ == nullptr ? nullptr : object_or_null(create_builder_(logger, number_));
}

void* Library::create_runtime(void* logger) const {
  return object_or_null(create_runtime_(logger, number_));
}

void* Library::create_parser(void* network, void* logger) const {
  if (parser_path_.empty()) return nullptr;
  return object_or_null(create_parser_(network, logger, parser_version_));
}

}  // namespace slipway::tensorrt
