// NVIDIA's compiler of CUDA C++ (NVRTC), opened at run time. It needs no GPU and no driver.
#pragma once

#include <string>
#include <vector>

#include "slipway/result.h"

namespace slipway::cuda {

// The environment variable that names its file or folder.
inline constexpr const char* kNvrtcVariable = "SLIPWAY_NVRTC";

class OpenedLibrary;

// Immutable: any thread may use it. It stays open until the process ends.
class Nvrtc {
 public:
  // The one that `path` names, or else the environment variable; or else what the loader finds,
  // what `make setup-cuda` brought, what lies in the folders of Python's packages that are on
  // PYTHONPATH, and the toolkit's in /usr/local/cuda. Opened once a file. kUnavailable says how to
  // get one.
  static Result<const Nvrtc*> open(const std::string& path = "");

  const std::string& path() const { return path_; }
  std::string version() const;  // "13.0"
  // Compute capabilities that it compiles for, in ascending order: 75 for 7.5.
  const std::vector<int>& capabilities() const { return capabilities_; }

  // The machine code for "sm_90", or the PTX for "compute_90". Arithmetic is as written, except
  // that products and sums may be fused. kUnsupported for a target that it does not know;
  // kInternal with its messages where the source is wrong.
  Result<std::string> compile(const std::string& source, const std::string& target) const;

  Nvrtc(const Nvrtc&) = delete;
  Nvrtc& operator=(const Nvrtc&) = delete;

 private:
  using Program = void*;
  struct Functions {
    const char* (*error_text)(int error) = nullptr;
    int (*version)(int* major, int* minor) = nullptr;
    int (*count_capabilities)(int* count) = nullptr;
    int (*capabilities)(int* capabilities) = nullptr;
    int (*create)(Program* program, const char* source, const char* name, int header_count,
                  const char* const* headers, const char* const* header_names) = nullptr;
    int (*destroy)(Program* program) = nullptr;
    int (*compile)(Program program, int option_count, const char* const* options) = nullptr;
    int (*log_size)(Program program, size_t* size) = nullptr;
    int (*log)(Program program, char* log) = nullptr;
    int (*ptx_size)(Program program, size_t* size) = nullptr;
    int (*ptx)(Program program, char* code) = nullptr;
    int (*cubin_size)(Program program, size_t* size) = nullptr;
    int (*cubin)(Program program, char* code) = nullptr;
  };

  Nvrtc() = default;
  static Result<const Nvrtc*> load(const std::string& file);
  void find_functions(OpenedLibrary& library);
  Status check_target(const std::string& target) const;
  std::string log_of(Program program) const;

  Functions call_;
  std::string path_;
  int major_ = 0;
  int minor_ = 0;
  std::vector<int> capabilities_;
};

}  // namespace slipway::cuda
