// NVIDIA's library of convolutions and attention (cuDNN), opened at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "slipway/result.h"

namespace slipway::cuda {

// The environment variable that names its file or folder.
inline constexpr const char* kCudnnVariable = "SLIPWAY_CUDNN";

// FUNCTION(member, symbol, arguments): each gives 0 or an error's number. Handles and descriptors
// are pointers.
#define SLIPWAY_CUDNN_FUNCTIONS(FUNCTION)                                                          \
  FUNCTION(create, cudnnCreate, void** handle)                                                     \
  FUNCTION(destroy, cudnnDestroy, void* handle)                                                    \
  FUNCTION(set_stream, cudnnSetStream, void* handle, void* stream)                                 \
  FUNCTION(create_descriptor, cudnnBackendCreateDescriptor, int type, void** descriptor)           \
  FUNCTION(destroy_descriptor, cudnnBackendDestroyDescriptor, void* descriptor)                    \
  FUNCTION(set, cudnnBackendSetAttribute, void* descriptor, int attribute, int type,               \
           int64_t count, const void* values)                                                      \
  FUNCTION(get, cudnnBackendGetAttribute, void* descriptor, int attribute, int type, int64_t most, \
           int64_t* count, void* values)                                                           \
  FUNCTION(finish, cudnnBackendFinalize, void* descriptor)                                         \
  FUNCTION(execute, cudnnBackendExecute, void* handle, void* plan, void* operands)

// Immutable: any thread may use it. It stays open until the process ends.
class Cudnn {
 public:
  // Found as find_library() says; opened once a file.
  static Result<const Cudnn*> open();

  struct Functions {
#define SLIPWAY_CUDNN_FUNCTION(member, symbol, ...) int (*member)(__VA_ARGS__) = nullptr;
    SLIPWAY_CUDNN_FUNCTIONS(SLIPWAY_CUDNN_FUNCTION)
#undef SLIPWAY_CUDNN_FUNCTION
    size_t (*version)() = nullptr;
    const char* (*error_text)(int error) = nullptr;
    void (*last_error)(char* text, size_t room) = nullptr;
  };
  const Functions& call() const { return functions_; }
  std::string version_text() const;  // "9.19.0"
  const std::string& path() const { return path_; }
  // The error of a call of this thread, none for 0. kUnsupported for what it does not compute,
  // kResourceExhausted without memory.
  Status check(int code, std::string_view what) const;

  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;

 private:
  Cudnn() = default;
  static Result<const Cudnn*> load(const std::string& file);

  Functions functions_;
  std::string path_;
};

}  // namespace slipway::cuda
