#include "cuda/host_kernels.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <sstream>
#include <unistd.h>

#include "cuda/fibers.h"

namespace slipway::cuda {
namespace {

constexpr size_t kShared = 48 << 10;  // what a kernel has unasked
constexpr size_t kMostShared = 227 << 10;

// As host_prelude.h has it.
struct Environment {
  unsigned thread[3];
  unsigned block[3];
  unsigned block_size[3];
  unsigned grid_size[3];
  void* shared;
  void (*wait_for_block)();
  void (*wait_for_warp)(unsigned);
};

struct Kernel {
  std::string name;
  void (*call)(void**) = nullptr;
  size_t arguments = 0;
  size_t shared_bytes = kShared;
  Environment* environment = nullptr;
};

struct Module {
  void* library = nullptr;
  Environment* environment = nullptr;
  std::map<std::string, std::unique_ptr<Kernel>> kernels;
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// What g++ compiles: memory that is shared and has its size at the launch alone is a pointer there,
// and each kernel gets a function that takes its arguments as CUDA does.
std::string host_source(const std::string& image) {
  static const std::regex dynamic(R"(extern\s+__shared__\s+([^;]*?)\s+(\w+)\s*\[\s*\]\s*;)");
  static const std::regex kernel(
      R"(__global__\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?void\s+(?:(?:__\w+__|S_CLUSTER)\s*\([^)]*\)\s*)*(\w+)\s*\()");
  std::string source = std::regex_replace(
      image, dynamic, "$1* const $2 = reinterpret_cast<$1*>(slipway_environment.shared);");
  for (std::sregex_iterator found(image.begin(), image.end(), kernel), end; found != end; ++found) {
    source += "\nSLIPWAY_HOST_KERNEL(" + (*found)[1].str() + ")";
  }
  return source + "\n";
}

#ifdef __clang__
constexpr const char* kOptions = "";
#else
constexpr const char* kOptions = "-fno-gnu-unique ";  // Else libraries would share what is static.
#endif

// The library of the source, which is compiled unless it has been before.
std::string compile(const std::string& source, std::string& log) {
  static const std::string prelude = read_file(SLIPWAY_HOST_PRELUDE);
  static std::atomic<int> compiles{0};
  const std::string command = std::string("\"" SLIPWAY_HOST_COMPILER "\" ") + kOptions +
                              "-std=c++17 -O1 -w -fPIC -shared -ffp-contract=off "
                              "-fno-strict-aliasing -fno-exceptions -fno-rtti "
                              "-fvisibility=hidden -include \"" SLIPWAY_HOST_PRELUDE "\" -lm -o ";
  const std::filesystem::path folder = SLIPWAY_HOST_KERNELS;
  char name[64];
  std::snprintf(name, sizeof name, "%016zx_%zx",
                std::hash<std::string>()(command + prelude + source), source.size());
  const std::filesystem::path library = folder / (std::string(name) + ".so");
  if (std::filesystem::exists(library)) return library;
  std::filesystem::create_directories(folder);
  const std::string own = (folder / (std::string(name) + "_" + std::to_string(::getpid()) + "_" +
                                     std::to_string(compiles++)))
                              .string();
  std::ofstream(own + ".cc") << source;
  const int code = std::system((command + own + ".so " + own + ".cc 2> " + own + ".log").c_str());
  log = read_file(own + ".log");
  std::filesystem::remove(own + ".log");
  std::filesystem::remove(own + ".cc");
  if (code != 0) {
    std::filesystem::remove(own + ".so");
    return {};
  }
  std::filesystem::rename(own + ".so", library);
  return library;
}

}  // namespace

int load_host_module(const char* image, void** module, std::string& log) {
  constexpr const char* kElf = "\177ELF";
  if (std::strncmp(image, kElf, 4) == 0) return kNoBinary;
  if (std::strstr(image, "__global__") == nullptr) {
    log = "it is no source";
    return kInvalidPtx;
  }
  const std::string library = compile(host_source(image), log);
  if (library.empty()) return kInvalidPtx;
  auto made = std::make_unique<Module>();
  made->library = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (made->library == nullptr) {
    log = ::dlerror();
    return kInvalidPtx;
  }
  made->environment = static_cast<Environment*>(::dlsym(made->library, "slipway_environment"));
  made->environment->wait_for_block = [] { fibers().wait_for_block(); };
  made->environment->wait_for_warp = [](unsigned mask) { fibers().wait_for_warp(mask); };
  *module = made.release();
  return 0;
}

void unload_host_module(void* module) {
  ::dlclose(static_cast<Module*>(module)->library);
  delete static_cast<Module*>(module);
}

void* find_host_kernel(void* module, const char* name) {
  auto* const from = static_cast<Module*>(module);
  auto& known = from->kernels[name];
  if (known != nullptr) return known.get();
  const std::string prefix = std::string("slipway_call_") + name;
  void* const call = ::dlsym(from->library, prefix.c_str());
  void* const count = ::dlsym(from->library, (prefix + "_arguments").c_str());
  if (call == nullptr || count == nullptr) return nullptr;
  known = std::make_unique<Kernel>(Kernel{name, reinterpret_cast<void (*)(void**)>(call),
                                          *static_cast<const size_t*>(count), kShared,
                                          from->environment});
  return known.get();
}

bool allow_shared_bytes(void* kernel, int bytes) {
  if (bytes < 0 || static_cast<size_t>(bytes) > kMostShared) return false;
  static_cast<Kernel*>(kernel)->shared_bytes = static_cast<size_t>(bytes);
  return true;
}

bool can_launch(void* kernel, const Shape& shape) {
  constexpr unsigned kMost[3] = {(1U << 31) - 1, 65535, 65535};
  constexpr unsigned kMostOfBlock[3] = {1024, 1024, 64};
  uint64_t threads = 1;
  for (size_t i = 0; i < 3; ++i) {
    if (shape.grid[i] == 0 || shape.grid[i] > kMost[i]) return false;
    if (shape.block[i] == 0 || shape.block[i] > kMostOfBlock[i]) return false;
    threads *= shape.block[i];
  }
  return threads <= 1024 && shape.shared_bytes <= static_cast<Kernel*>(kernel)->shared_bytes;
}

std::vector<uint64_t> arguments_of(void* kernel, void** parameters) {
  std::vector<uint64_t> values(static_cast<Kernel*>(kernel)->arguments);
  for (size_t i = 0; i < values.size(); ++i) std::memcpy(&values[i], parameters[i], 8);
  return values;
}

int launch_host_kernel(void* handle, const Shape& shape, std::vector<uint64_t> arguments) {
  const Kernel& kernel = *static_cast<const Kernel*>(handle);
  Environment& environment = *kernel.environment;
  std::vector<void*> places;
  places.reserve(arguments.size());
  for (uint64_t& argument : arguments) places.push_back(&argument);
  std::vector<uint64_t> shared(shape.shared_bytes / sizeof(uint64_t) + 1);
  environment.shared = shared.data();
  const std::array<unsigned, 3>& grid = shape.grid;
  const std::array<unsigned, 3>& block = shape.block;
  for (size_t i = 0; i < 3; ++i) {
    environment.grid_size[i] = grid[i];
    environment.block_size[i] = block[i];
  }
  const size_t threads = size_t{block[0]} * block[1] * block[2];
  const auto place = [&](size_t thread) {
    environment.thread[0] = static_cast<unsigned>(thread % block[0]);
    environment.thread[1] = static_cast<unsigned>(thread / block[0] % block[1]);
    environment.thread[2] = static_cast<unsigned>(thread / block[0] / block[1]);
  };
  fibers().set_resumed(place);
  const std::function<void(size_t)> body = [&](size_t thread) {
    place(thread);
    kernel.call(places.data());
  };
  const size_t blocks = size_t{grid[0]} * grid[1] * grid[2];
  // From the last one down, for the same reason.
  for (size_t i = blocks; i-- > 0;) {
    environment.block[0] = static_cast<unsigned>(i % grid[0]);
    environment.block[1] = static_cast<unsigned>(i / grid[0] % grid[1]);
    environment.block[2] = static_cast<unsigned>(i / grid[0] / grid[1]);
    if (!fibers().run(threads, body)) {
      std::fprintf(stderr, "the kernel %s waits for threads that do not come\n",
                   kernel.name.c_str());
      return kLaunchFailed;
    }
  }
  return 0;
}

}  // namespace slipway::cuda
