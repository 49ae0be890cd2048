// Shared libraries that are opened on demand, and programs that are started so.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/try.h"
#include "slipway/result.h"

namespace slipway {

// Opens a library from beside libexecutorch.so; else where the dynamic loader finds it, which is
// the program's run path, LD_LIBRARY_PATH and the system; else from beside the program. It stays
// open. kUnavailable gives the loader's reason and then `remedy`. Any thread may call it.
Result<void*> open_library(const std::string& name, const std::string& remedy);

// The file of the library that a function or object is in; empty when the system does not tell.
std::string library_of(const void* symbol);

// What `load` makes of a file, once for each in this process; a failure is tried again. It is never
// destroyed: what came of it may be used later than static destructors run. Any thread may call it.
template <class T>
Result<const T*> loaded_once(const std::string& file,
                             Result<const T*> (*load)(const std::string& file)) {
  static std::mutex mutex;
  static auto* const loaded = new std::map<std::string, const T*>;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto known = loaded->find(file);
  if (known != loaded->end()) return known->second;
  SLIPWAY_ASSIGN_OR_RETURN(const T* made, load(file));
  loaded->emplace(file, made);
  return made;
}

// The folder that libexecutorch.so was loaded from; empty when the system does not tell.
std::string executorch_folder();

// The folder that this program lies in; empty when the system does not tell.
std::string program_folder();

// Where a program of Slipway's own lies that others start: libexec/slipway/ in this program's
// folder or beside it (bin/ or, in the build tree, tests/), or beside the folder of
// libexecutorch.so or of the library that this is in (lib/). Empty where it is in none of them.
std::string find_program(const std::string& name);

// What the folders above are from now on: in a program that opens libraries for another one,
// and is to find the same. Call it before there are threads.
void open_libraries_for(std::string executorch_folder, std::string program_folder);

}  // namespace slipway
