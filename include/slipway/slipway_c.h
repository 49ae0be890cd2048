// Slipway for C, and for every language that calls C: compiling, loading, running, inspecting.
//
//   slipway_module* module = NULL;
//   slipway_method* method = NULL;
//   slipway_error* error = slipway_module_load("model.pte", NULL, 0, NULL, NULL, &module);
//   if (error == NULL) error = slipway_module_method(module, NULL, &method);
//   if (error == NULL) error = slipway_method_run(method, inputs, 1, outputs, 1);
//   if (error != NULL) {
//     fprintf(stderr, "%s\n", slipway_error_message(error));
//     slipway_error_free(error);
//   }
//
// It is in libslipway_c.so, which exports nothing else; examples/run_model.c is a whole program.
//
// Errors: a function that may fail gives NULL, or an error that the caller frees; what it would
// have given is then unchanged. Pointers are not NULL unless it is said that they may be; one that
// is NULL all the same is SLIPWAY_INVALID_ARGUMENT. Nothing throws.
// Texts are UTF-8 and end in a zero byte. What a function gives as `const char*` belongs to the
// object that it is of, or to the library where there is none.
// Threads: as slipway/module.h has it. A module, its methods, runs and outputs together serve one
// thread at a time; different modules serve several.
// Versions: an interface that changes has another slipway_abi_version(); functions, options and
// values of enumerations may be added to one that stays.
#ifndef SLIPWAY_SLIPWAY_C_H
#define SLIPWAY_SLIPWAY_C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slipway/export.h"

// Tensors are those of DLPack (https://dmlc.github.io/dlpack), whose header a program may include,
// too, but before this one.
#ifndef DLPACK_DLPACK_H_
#include "slipway/dlpack.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SLIPWAY_ABI_VERSION 1u
// Of the library: other than SLIPWAY_ABI_VERSION, nothing else of it may be used.
SLIPWAY_API uint32_t slipway_abi_version(void);
// "<major>.<minor>.<patch>"
SLIPWAY_API const char* slipway_version(void);

// ---- Errors.

// What went wrong, by who can do something about it (slipway/result.h). More may come.
typedef enum slipway_error_code {
  SLIPWAY_INVALID_ARGUMENT = 1,
  SLIPWAY_INVALID_FILE = 2,
  SLIPWAY_NOT_FOUND = 3,
  SLIPWAY_UNSUPPORTED = 4,
  SLIPWAY_UNAVAILABLE = 5,
  SLIPWAY_RESOURCE_EXHAUSTED = 6,
  SLIPWAY_IO = 7,
  SLIPWAY_INTERNAL = 8,
  SLIPWAY_CANCELLED = 9
} slipway_error_code;

typedef struct slipway_error slipway_error;
SLIPWAY_API slipway_error_code slipway_error_code_of(const slipway_error* error);
// What failed, in which file and node, and what to do.
SLIPWAY_API const char* slipway_error_message(const slipway_error* error);
// NULL is left alone, here and in every function whose name ends so.
SLIPWAY_API void slipway_error_free(slipway_error* error);

// A warning; `context` is what was given with the function. Of slipway_module_load() it may be
// called as long as there is something of the module, and by the thread of a run: `context` lives
// as long.
typedef void (*slipway_warning)(void* context, const char* message);

// ---- The process.

typedef enum slipway_log_level {
  SLIPWAY_LOG_DEBUG = 0,
  SLIPWAY_LOG_INFO = 1,
  SLIPWAY_LOG_WARNING = 2,
  SLIPWAY_LOG_ERROR = 3
} slipway_log_level;
typedef void (*slipway_log)(void* context, slipway_log_level level, const char* message);
// Has messages from the level `least` on told to `log`, as slipway/log.h has it, in place of an
// earlier one; NULL: to nobody. `context` lives as long as the process.
SLIPWAY_API void slipway_set_log(slipway_log log, void* context, slipway_log_level least);

// The threads of ExecuTorch's kernels, of all modules (slipway/module.h). Not while anything runs.
SLIPWAY_API uint32_t slipway_kernel_threads(void);
SLIPWAY_API slipway_error* slipway_set_kernel_threads(uint32_t count);

// ---- Options: names and values, in any order.

typedef struct slipway_option {
  const char* name;
  const char* value;  // "true" and "false" of flags
} slipway_option;

typedef struct slipway_option_info {
  const char* name;
  const char* value;  // what it takes: "BYTES", "off|small|outside|fail"; "true|false" of a flag
  const char* help;
  bool is_repeated;  // may be given several times
} slipway_option_info;

// All that there are, as an array of *count.
SLIPWAY_API const slipway_option_info* slipway_compile_options(size_t* count);
SLIPWAY_API const slipway_option_info* slipway_load_options(size_t* count);
// Those of an engine, given to slipway_compile() as "<engine>.<name>". NULL where there is no such
// engine, or it has none.
SLIPWAY_API const slipway_option_info* slipway_engine_options(const char* engine, size_t* count);
// The default first.
SLIPWAY_API const char* const* slipway_engine_names(size_t* count);

// ---- Compiling.

// Compiles an archive of torch.export (.pt2) and writes `output`, atomically. Without options: a
// .pte for the default engine. `warning` may be NULL.
SLIPWAY_API slipway_error* slipway_compile(const char* archive, const char* output,
                                           const slipway_option* options, size_t option_count,
                                           slipway_warning warning, void* context);

// ---- Values: what goes into a method and comes out.

typedef enum slipway_kind {
  SLIPWAY_NONE = 0,
  SLIPWAY_TENSOR = 1,
  SLIPWAY_INTEGER = 2,
  SLIPWAY_NUMBER = 3,
  SLIPWAY_BOOLEAN = 4,
  SLIPWAY_TEXT = 5
} slipway_kind;

typedef struct slipway_value {
  slipway_kind kind;
  union {
    DLManagedTensorVersioned* tensor;
    int64_t integer;
    double number;
    bool boolean;
    const char* text;
  } as;
} slipway_value;

// A tensor of host memory that the caller keeps, contiguous (row-major): `type` is PyTorch's name,
// such as "float32". Freeing the tensor leaves `data` alone. Of memory of a CUDA device it is once
// the caller has set its dl_tensor.device.
SLIPWAY_API slipway_error* slipway_tensor_borrow(const char* type, const int64_t* sizes,
                                                 int32_t rank, void* data,
                                                 DLManagedTensorVersioned** tensor);
// By the deleter that it came with.
SLIPWAY_API void slipway_tensor_free(DLManagedTensorVersioned* tensor);
// Tensors and texts of an array of values, which become SLIPWAY_NONE.
SLIPWAY_API void slipway_values_free(slipway_value* values, size_t count);

// ---- Running.

typedef struct slipway_module slipway_module;
typedef struct slipway_method slipway_method;
typedef struct slipway_run slipway_run;

// Maps the file and checks its structure; no weight is read.
SLIPWAY_API slipway_error* slipway_module_load(const char* path, const slipway_option* options,
                                               size_t option_count, slipway_warning warning,
                                               void* context, slipway_module** module);
// Of a program in memory, which is copied; `name` is for messages.
SLIPWAY_API slipway_error* slipway_module_load_memory(const void* data, size_t size,
                                                      const char* name,
                                                      const slipway_option* options,
                                                      size_t option_count, slipway_warning warning,
                                                      void* context, slipway_module** module);
// Methods, runs and outputs of it may be used as before.
SLIPWAY_API void slipway_module_free(slipway_module* module);
SLIPWAY_API size_t slipway_module_method_count(const slipway_module* module);
// NULL past the last one.
SLIPWAY_API const char* slipway_module_method_name(const slipway_module* module, size_t index);
// `name` may be NULL: the only one, or "forward" among several.
SLIPWAY_API slipway_error* slipway_module_method(const slipway_module* module, const char* name,
                                                 slipway_method** method);
SLIPWAY_API void slipway_method_free(slipway_method* method);
SLIPWAY_API const char* slipway_method_name(const slipway_method* method);

// One flattened input or output.
typedef struct slipway_value_info {
  const char* name;
  const char* text;  // "float32[s77, 3]", "int s5", "int 3"
  slipway_kind kind;
  const char* type;          // of a tensor's elements, PyTorch's name; else NULL
  int32_t rank;              // of a tensor; else 0
  const int64_t* min_sizes;  // inclusive, `rank` of them
  const int64_t* max_sizes;
  bool is_mutated;  // an input whose memory the method writes to
} slipway_value_info;

SLIPWAY_API size_t slipway_method_input_count(const slipway_method* method);
SLIPWAY_API size_t slipway_method_output_count(const slipway_method* method);
// NULL past the last one.
SLIPWAY_API const slipway_value_info* slipway_method_input(const slipway_method* method,
                                                           size_t index);
SLIPWAY_API const slipway_value_info* slipway_method_output(const slipway_method* method,
                                                            size_t index);

// How the flattened values nest, as JSON: {"kind": "dict", "keys": ["mask"], "children": [...]}
// with `kind` one of leaf, none, tuple, list, dict, namedtuple, and "type_name" and "context" where
// the Python type is another one (docs/formats/manifest.md). The inputs are a tuple of the
// arguments, a tuple, and the keyword arguments, a dict.
SLIPWAY_API const char* slipway_method_input_tree(const slipway_method* method);
SLIPWAY_API const char* slipway_method_output_tree(const slipway_method* method);
// The same as PyTorch writes it (torch.utils._pytree.treespec_dumps); NULL where values nest in
// types of Python that only its own archive describes.
SLIPWAY_API const char* slipway_method_input_spec(const slipway_method* method);
SLIPWAY_API const char* slipway_method_output_spec(const slipway_method* method);

// A method is prepared at its first use; this does it now.
SLIPWAY_API slipway_error* slipway_method_prepare(const slipway_method* method);

// Input tensors are read in place and stay the caller's: contiguous ones in memory of the host, or
// of a CUDA device where engines of that device alone use them. Literals may be SLIPWAY_NONE.
// `outputs` holds what the caller frees; their tensors lie in the module's memory and are
// overwritten by the next run of the method. The counts are those of the method.
SLIPWAY_API slipway_error* slipway_method_run(const slipway_method* method,
                                              const slipway_value* inputs, size_t input_count,
                                              slipway_value* outputs, size_t output_count);
// The same, where engines of a GPU queue their work on `stream`, a CUstream or cudaStream_t of that
// GPU, as slipway::cuda::StreamGuard has it (slipway/cuda.h).
SLIPWAY_API slipway_error* slipway_method_run_on_stream(const slipway_method* method, void* stream,
                                                        const slipway_value* inputs,
                                                        size_t input_count, slipway_value* outputs,
                                                        size_t output_count);
// In whose memory an input may be, or an output, as Method::input_device() and
// Method::output_device() have it.
SLIPWAY_API slipway_error* slipway_method_input_device(const slipway_method* method, size_t index,
                                                       DLDevice* device);
SLIPWAY_API slipway_error* slipway_method_output_device(const slipway_method* method, size_t index,
                                                        DLDevice* device);
// Later runs write the output to this memory, of the host or of a CUDA device, as
// Method::set_output() has it; the caller keeps it as long. NULL: to the module's own again.
SLIPWAY_API slipway_error* slipway_method_set_output(const slipway_method* method, size_t index,
                                                     const DLManagedTensorVersioned* memory);
// Starts a run, as Method::run_async() does. Until slipway_run_wait() or slipway_run_free(), inputs
// stay where they are and as they are, and the module is not used otherwise.
SLIPWAY_API slipway_error* slipway_method_run_async(const slipway_method* method,
                                                    const slipway_value* inputs, size_t input_count,
                                                    slipway_run** run);
// Any thread may ask.
SLIPWAY_API bool slipway_run_is_done(const slipway_run* run);
// Stops the run that was begun last, where it is not over: SLIPWAY_CANCELLED (Method::cancel). Any
// thread may call it.
SLIPWAY_API void slipway_method_cancel(const slipway_method* method);
// Once for each run.
SLIPWAY_API slipway_error* slipway_run_wait(slipway_run* run, slipway_value* outputs,
                                            size_t output_count);
// Waits.
SLIPWAY_API void slipway_run_free(slipway_run* run);

// Mutable buffers, as the last run left them. Those that there are: 0 before an error is found.
SLIPWAY_API slipway_error* slipway_method_state_count(const slipway_method* method, size_t* count);
// `tensor` lies in the module's memory, of the host; writing to it before the next run sets the
// state. What engines of a device alone use is kept there by runs: ask again after each. The caller
// frees both.
SLIPWAY_API slipway_error* slipway_method_state(const slipway_method* method, size_t index,
                                                char** name, DLManagedTensorVersioned** tensor);
SLIPWAY_API slipway_error* slipway_method_reset_state(const slipway_method* method);

// Bytes of weights on the device, of all engines together (Method::weight_streaming_budget).
SLIPWAY_API slipway_error* slipway_method_weight_streaming_budget(const slipway_method* method,
                                                                  uint64_t* bytes);
// For each engine, or for all together; *in_force may be NULL.
SLIPWAY_API slipway_error* slipway_method_set_weight_streaming_budget(const slipway_method* method,
                                                                      uint64_t bytes,
                                                                      uint64_t* in_force);
SLIPWAY_API slipway_error* slipway_method_set_weight_streaming_total(const slipway_method* method,
                                                                     uint64_t bytes,
                                                                     uint64_t* in_force);

// ---- Looking at files.

// What a .pt2, .pte or bare engine holds: as JSON (docs/inspect.md), or as lines for people.
SLIPWAY_API slipway_error* slipway_inspect_json(const char* path, char** json);
SLIPWAY_API slipway_error* slipway_inspect_text(const char* path, char** text);
SLIPWAY_API void slipway_text_free(char* text);

#ifdef __cplusplus
}
#endif

#endif  // SLIPWAY_SLIPWAY_C_H
