#include "delegate/registration.h"

#include <algorithm>
#include <dlfcn.h>
#include <link.h>

#include <executorch/runtime/platform/runtime.h>

#include "delegate/log.h"

namespace slipway::delegate {
namespace {

namespace et = executorch::runtime;

// The file that an address is in; "a program" where that can't be told.
std::string file_of(const void* address) {
  Dl_info info;
  const bool is_known = ::dladdr(address, &info) != 0 && info.dli_fname != nullptr;
  return is_known ? info.dli_fname : "a program";
}

std::string file_of(const et::BackendInterface& backend) {
  return file_of(*reinterpret_cast<const void* const*>(&backend));  // its virtual table
}

std::vector<std::string> loaded_files() {
  std::vector<std::string> files;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* list) {
        static_cast<std::vector<std::string>*>(list)->emplace_back(info->dlpi_name);
        return 0;
      },
      &files);
  return files;
}

}  // namespace

std::vector<std::string> other_executorchs() {
  const auto* const own = reinterpret_cast<const void*>(&et::register_backend);
  Dl_info info;
  if (::dladdr(own, &info) == 0 || info.dli_sname == nullptr) return {};
  std::vector<std::string> others;
  for (const std::string& file : loaded_files()) {
    // The program itself has no name.
    void* const library = ::dlopen(file.empty() ? nullptr : file.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (library == nullptr) continue;
    // Also of what the file is linked with.
    const void* const function = ::dlsym(library, info.dli_sname);
    ::dlclose(library);
    if (function == nullptr) continue;
    std::string where = file_of(function);
    if (where == info.dli_fname || std::count(others.begin(), others.end(), where) > 0) continue;
    others.push_back(std::move(where));
  }
  return others;
}

bool register_delegate(const char* name, std::unique_ptr<et::BackendInterface> backend) {
  et::runtime_init();
  const et::BackendInterface* const before = et::get_backend_class(name);
  const bool is_registered = et::register_backend({name, backend.get()}) == et::Error::Ok;
  const std::string own = file_of(*backend);
  if (is_registered) (void)backend.release();
  if (!is_registered && before != nullptr) {
    log_error(name, "it is registered already, by " + file_of(*before) + ", so that " + own +
                        " is not used: load one of them only");
  }
  for (const std::string& other : other_executorchs()) {
    log_error(name, "a second ExecuTorch is in this process, in " + other +
                        ", whose programs don't find this delegate: it is registered with " +
                        file_of(reinterpret_cast<const void*>(&et::register_backend)));
  }
  return is_registered;
}

}  // namespace slipway::delegate
