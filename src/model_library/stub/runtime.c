// Finds libslipway_c.so and opens it.

#define _GNU_SOURCE
#include "model_library/stub/runtime.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LIBRARY "libslipway_c.so"
#define VARIABLE "SLIPWAY_C_LIBRARY"

struct slipway_model_error {
  slipway_error_code code;
  char* message;
};

static struct slipway_model_error out_of_memory = {SLIPWAY_RESOURCE_EXHAUSTED, "out of memory"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct runtime runtime;  // by whoever has the lock, until there is its library

static char path[PATH_MAX];

// While the folder is the one that a relative path began in.
__attribute__((constructor)) static void find_path(void) {
  Dl_info info;
  if (dladdr(path, &info) == 0 || realpath(info.dli_fname, path) == NULL) path[0] = '\0';
}

const char* path_of_model(void) { return path; }

slipway_model_error* make_error(slipway_error_code code, const char* format, ...) {
  struct slipway_model_error* const error = malloc(sizeof(struct slipway_model_error));
  if (error == NULL) return &out_of_memory;
  va_list arguments;
  va_start(arguments, format);
  const int length = vasprintf(&error->message, format, arguments);
  va_end(arguments);
  if (length < 0) {
    free(error);
    return &out_of_memory;
  }
  error->code = code;
  return error;
}

slipway_model_error* take_error(slipway_error* error) {
  if (error == NULL) return NULL;
  slipway_model_error* const result =
      make_error(runtime.slipway_error_code_of(error), "%s", runtime.slipway_error_message(error));
  runtime.slipway_error_free(error);
  return result;
}

slipway_error_code slipway_model_error_code_of(const slipway_model_error* error) {
  return error == NULL ? SLIPWAY_INTERNAL : error->code;
}

const char* slipway_model_error_message(const slipway_model_error* error) {
  return error == NULL ? NULL : error->message;
}

void slipway_model_error_free(slipway_model_error* error) {
  if (error == NULL || error == &out_of_memory) return;
  free(error->message);
  free(error);
}

// A file, or the one of that name in a folder.
static void* open_at(const char* place) {
  struct stat status;
  char file[PATH_MAX + sizeof(LIBRARY)];
  const int is_folder = stat(place, &status) == 0 && S_ISDIR(status.st_mode);
  snprintf(file, sizeof(file), is_folder ? "%s/" LIBRARY : "%s", place);
  return dlopen(file, RTLD_NOW | RTLD_LOCAL);
}

static void* open_library(slipway_model_error** error) {
  const char* const given = secure_getenv(VARIABLE);
  if (given != NULL && given[0] != '\0') {
    void* const library = open_at(given);
    if (library == NULL) {
      *error = make_error(SLIPWAY_UNAVAILABLE,
                          "%s: the library that runs this model does not open, which the "
                          "environment variable " VARIABLE " names: %s",
                          path, dlerror());
    }
    return library;
  }
  // By the run path of this library, which names folders beside it.
  void* const library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library != NULL) return library;
  *error = make_error(
      SLIPWAY_UNAVAILABLE,
      "%s: the library that runs this model does not open: %s. It was looked for beside the model, "
      "in lib/ there and in ../lib, in LD_LIBRARY_PATH, and where the system has libraries: put "
      "Slipway's there, or name " LIBRARY " or its folder in the environment variable " VARIABLE,
      path, dlerror());
  return NULL;
}

// Whether the library has all that is called.
static int find_functions(struct runtime* found, slipway_model_error** error) {
  const char* missing = NULL;
#define FIND(name)                                      \
  *(void**)&found->name = dlsym(found->library, #name); \
  if (found->name == NULL && missing == NULL) missing = #name;
  FOR_EACH_FUNCTION(FIND)
#undef FIND
  void* const symbol = dlsym(found->library, "slipway_abi_version");
  __typeof__(slipway_abi_version)* version = NULL;
  *(void**)&version = symbol;
  if (version == NULL || version() != SLIPWAY_ABI_VERSION)
    missing = "this version of the interface";
  if (missing == NULL) return 1;
  Dl_info info;
  const int is_known = symbol != NULL && dladdr(symbol, &info) != 0;
  *error = make_error(SLIPWAY_UNAVAILABLE,
                      "%s: %s is of another version of Slipway than this model: it lacks %s", path,
                      is_known ? info.dli_fname : LIBRARY, missing);
  return 0;
}

const struct runtime* open_runtime(slipway_model_error** error) {
  pthread_mutex_lock(&lock);
  if (runtime.library == NULL) {
    struct runtime found = {0};
    found.library = open_library(error);
    if (found.library != NULL && find_functions(&found, error)) {
      runtime = found;
    } else if (found.library != NULL) {
      dlclose(found.library);
    }
  }
  const struct runtime* const result = runtime.library == NULL ? NULL : &runtime;
  pthread_mutex_unlock(&lock);
  return result;
}

const struct runtime* opened_runtime(void) { return &runtime; }

void* slipway_model_function(const char* name) {
  slipway_model_error* error = NULL;
  const struct runtime* const opened = open_runtime(&error);
  slipway_model_error_free(error);
  return opened == NULL || name == NULL ? NULL : dlsym(opened->library, name);
}
