// AOTInductor's functions (torch/csrc/inductor/aoti_runtime/interface.h), by which PyTorch loads
// and runs this model: docs/aoti.md. Nothing here is linked with it.

#include "model_library/stub/aoti.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_library/stub/aoti_tensors.h"
#include "model_library/stub/runtime.h"

// ---- Errors.

static _Thread_local char last_error[1024];

status fail(const char* text) {
  snprintf(last_error, sizeof(last_error), "%s", text);
  return 1;
}

static status fail_with(slipway_model_error* error) {
  const status result = fail(slipway_model_error_message(error));
  slipway_model_error_free(error);
  return result;
}

// PyTorch does not ask why nothing was created.
static status fail_to_create(slipway_model_error* error) {
  fprintf(stderr, "%s\n", slipway_model_error_message(error));
  return fail_with(error);
}

AOTI_API status AOTInductorGetLastError(const char** error_msg) {
  *error_msg = last_error;
  return 0;
}

// ---- A container: instances of the model, and what is the same of all.

struct instance {
  slipway_method* method;
  struct instance* next;  // of those that nobody uses
};

struct container {
  struct torch torch;
  struct place place;  // of PyTorch's tensors
  pthread_mutex_t lock;
  pthread_cond_t is_freed;
  size_t most;  // instances
  size_t made;
  struct instance* unused;
  slipway_method* method;  // of the first one, for what all are like
  size_t tensor_count;     // inputs that are tensors
  size_t input_count;
  size_t output_count;
  struct place* places;  // of inputs, then of outputs: where the model takes and gives them
};

static slipway_model_error* make_instance(struct place place, struct instance** instance) {
  *instance = calloc(1, sizeof(struct instance));
  if (*instance == NULL) return make_error(SLIPWAY_RESOURCE_EXHAUSTED, "out of memory");
  slipway_module* module = NULL;
  char device[32];
  snprintf(device, sizeof(device), "cuda:%d", (int)place.index);
  const slipway_option option = {"device", device};
  slipway_model_error* error =
      slipway_model_load(&option, place.type == kCuda ? 1 : 0, NULL, NULL, &module);
  if (error == NULL) error = slipway_model_method(module, NULL, &(*instance)->method);
  if (error == NULL) {
    error = take_error(opened_runtime()->slipway_method_prepare((*instance)->method));
  }
  slipway_model_free(module);  // the method keeps it
  if (error == NULL) return NULL;
  slipway_model_method_free((*instance)->method);
  free(*instance);
  *instance = NULL;
  return error;
}

// What PyTorch's callers can neither give nor take, since they pass tensors alone.
static slipway_model_error* check_signature(struct container* container) {
  for (size_t i = 0; i < container->input_count; ++i) {
    const slipway_value_info* const info = slipway_model_input(container->method, i);
    const char* const what = strchr(info->text, ' ');
    const int is_chosen = info->kind == SLIPWAY_INTEGER && what != NULL && what[1] == 's';
    if (is_chosen) {
      return make_error(SLIPWAY_UNSUPPORTED,
                        "input %zu '%s' is %s, which PyTorch's loader does not pass on: export the "
                        "model with a tensor in its place, or run it by slipway_model.h",
                        i, info->name, info->text);
    }
    if (info->kind != SLIPWAY_TENSOR) continue;
    ++container->tensor_count;
    if (type_of(info->kind, info->type) >= 0) continue;
    return make_error(SLIPWAY_UNSUPPORTED, "input %zu '%s' is of type %s", i, info->name,
                      info->type);
  }
  for (size_t i = 0; i < container->output_count; ++i) {
    const slipway_value_info* const info = slipway_model_output(container->method, i);
    if (info->kind == SLIPWAY_NONE || type_of(info->kind, info->type) >= 0) continue;
    return make_error(SLIPWAY_UNSUPPORTED,
                      "output %zu '%s' is %s, and PyTorch's loader takes tensors, numbers and None "
                      "alone: leave it out of what the model returns, or run it by slipway_model.h",
                      i, info->name, info->text);
  }
  return NULL;
}

static void delete_container(struct container* container) {
  while (container->unused != NULL) {
    struct instance* const instance = container->unused;
    container->unused = instance->next;
    slipway_model_method_free(instance->method);
    free(instance);
  }
  pthread_cond_destroy(&container->is_freed);
  pthread_mutex_destroy(&container->lock);
  free(container->places);
  free(container);
}

// "cpu", "cuda", "cuda:1"; an index of -1 is the current one. Whether it is one of these.
static int read_place(const char* text, struct place* place) {
  const size_t length = strcspn(text, ":");
  const int is_cpu = length == strlen("cpu") && strncmp(text, "cpu", length) == 0;
  const int is_cuda = length == strlen("cuda") && strncmp(text, "cuda", length) == 0;
  place->type = is_cuda ? kCuda : kCpu;
  place->index = -1;
  if (text[length] == '\0') return is_cpu || is_cuda;
  char* end = NULL;
  const long index = strtol(text + length + 1, &end, 10);
  place->index = (int32_t)index;
  return (is_cpu || is_cuda) && end != text + length + 1 && *end == '\0' && index >= 0 &&
         index < 128;
}

static slipway_model_error* find_places(struct container* container) {
  const size_t count = container->input_count + container->output_count;
  container->places = calloc(count + 1, sizeof(struct place));
  if (container->places == NULL) return make_error(SLIPWAY_RESOURCE_EXHAUSTED, "out of memory");
  for (size_t i = 0; i < count && container->place.type == kCuda; ++i) {
    const struct runtime* const runtime = opened_runtime();
    DLDevice device = {kDLCPU, 0};
    slipway_model_error* const error =
        take_error(i < container->input_count
                       ? runtime->slipway_method_input_device(container->method, i, &device)
                       : runtime->slipway_method_output_device(
                             container->method, i - container->input_count, &device));
    if (error != NULL) return error;
    if (device.device_type == kDLCUDA) container->places[i] = container->place;
  }
  return NULL;
}

static slipway_model_error* fill_container(struct container* container) {
  slipway_model_error* error = find_torch(container->place.type == kCuda, &container->torch);
  if (error != NULL) return error;
  if (container->place.type == kCuda && container->place.index < 0 &&
      container->torch.aoti_torch_get_current_device_index(&container->place.index) != 0) {
    return make_error(SLIPWAY_UNAVAILABLE, "%s: PyTorch has no current device", path_of_model());
  }
  error = make_instance(container->place, &container->unused);
  if (error != NULL) return error;
  container->made = 1;
  container->method = container->unused->method;
  container->input_count = slipway_model_input_count(container->method);
  container->output_count = slipway_model_output_count(container->method);
  error = check_signature(container);
  if (error == NULL) error = find_places(container);
  size_t state_count = 0;
  if (error == NULL) {
    error =
        take_error(opened_runtime()->slipway_method_state_count(container->method, &state_count));
  }
  // A call goes on from the state that the one before has left.
  if (state_count > 0) container->most = 1;
  return error;
}

AOTI_API status AOTInductorModelContainerCreateWithDevice(struct container** container_handle,
                                                          size_t num_models, const char* device_str,
                                                          const char* cubin_dir) {
  (void)cubin_dir;
  if (num_models == 0) return fail("num_models must be positive");
  struct place place;
  if (!read_place(device_str != NULL ? device_str : "cpu", &place)) {
    return fail_to_create(make_error(
        SLIPWAY_UNSUPPORTED,
        "%s: it is loaded for device '%s', but PyTorch's loader runs models of Slipway on 'cpu' "
        "and 'cuda' alone",
        path_of_model(), device_str));
  }
  struct container* const container = calloc(1, sizeof(struct container));
  if (container == NULL) return fail("out of memory");
  pthread_mutex_init(&container->lock, NULL);
  pthread_cond_init(&container->is_freed, NULL);
  container->place = place;
  container->most = num_models;
  slipway_model_error* const error = fill_container(container);
  if (error != NULL) {
    delete_container(container);
    return fail_to_create(error);
  }
  *container_handle = container;
  return 0;
}

AOTI_API status AOTInductorModelContainerCreate(struct container** container_handle,
                                                size_t num_models, bool is_cpu,
                                                const char* cubin_dir) {
  return AOTInductorModelContainerCreateWithDevice(container_handle, num_models,
                                                   is_cpu ? "cpu" : "cuda", cubin_dir);
}

AOTI_API status AOTInductorModelContainerCreateWithExternalConstants(
    struct container** container_handle, size_t num_models, const char* device_str,
    const char* cubin_dir, const void* constant_entries, size_t num_constant_entries) {
  (void)constant_entries;
  if (num_constant_entries > 0) {
    return fail("the weights of this model are in its engines and can't be given from outside");
  }
  return AOTInductorModelContainerCreateWithDevice(container_handle, num_models, device_str,
                                                   cubin_dir);
}

AOTI_API status AOTInductorModelContainerDelete(struct container* container) {
  if (container != NULL) delete_container(container);
  return 0;
}

// ---- Running.

// One that nobody else uses: made where there may be more, else waited for.
static slipway_model_error* take_instance(struct container* container, struct instance** instance) {
  pthread_mutex_lock(&container->lock);
  while (container->unused == NULL && container->made >= container->most) {
    pthread_cond_wait(&container->is_freed, &container->lock);
  }
  *instance = container->unused;
  if (*instance != NULL) container->unused = (*instance)->next;
  if (*instance == NULL) ++container->made;
  pthread_mutex_unlock(&container->lock);
  if (*instance != NULL) return NULL;
  slipway_model_error* const error = make_instance(container->place, instance);
  if (error == NULL) return NULL;
  pthread_mutex_lock(&container->lock);
  --container->made;
  pthread_cond_signal(&container->is_freed);
  pthread_mutex_unlock(&container->lock);
  return error;
}

static void give_back(struct container* container, struct instance* instance) {
  pthread_mutex_lock(&container->lock);
  instance->next = container->unused;
  container->unused = instance;
  pthread_cond_signal(&container->is_freed);
  pthread_mutex_unlock(&container->lock);
}

// What a call has of each input and then of each output.
struct call {
  slipway_value* values;
  // Of PyTorch's, to be deleted: of an input a copy where the model takes it, of an output the
  // memory that the model writes it to.
  tensor_handle* tensors;
};

static slipway_model_error* read_inputs(const struct container* container,
                                        const tensor_handle* inputs, struct call call) {
  size_t position = 0;
  for (size_t i = 0; i < container->input_count; ++i) {
    const slipway_value_info* const info = slipway_model_input(container->method, i);
    if (info->kind != SLIPWAY_TENSOR) continue;  // a literal, which is the one of the export
    slipway_model_error* const error =
        read_input(&container->torch, position, inputs[position], info, container->place,
                   container->places[i], &call.values[i], &call.tensors[i]);
    if (error != NULL) return error;
    ++position;
  }
  return NULL;
}

// To those that were copied.
static slipway_model_error* write_mutated_inputs(const struct container* container,
                                                 const tensor_handle* inputs, struct call call) {
  size_t position = 0;
  for (size_t i = 0; i < container->input_count; ++i) {
    const slipway_value_info* const info = slipway_model_input(container->method, i);
    if (info->kind != SLIPWAY_TENSOR) continue;
    const tensor_handle input = inputs[position++];
    if (!info->is_mutated || call.tensors[i] == NULL) continue;
    if (container->torch.aoti_torch_copy_(input, call.tensors[i], 0) == 0) continue;
    return make_error(SLIPWAY_INTERNAL, "input '%s' can't be written to", info->name);
  }
  return NULL;
}

// Has the model write the outputs that may be there to memory of the GPU.
static slipway_model_error* place_outputs(const struct container* container,
                                          const struct instance* instance, struct call call) {
  for (size_t i = 0; i < container->output_count; ++i) {
    const size_t at = container->input_count + i;
    if (container->places[at].type == kCpu) continue;
    slipway_value* const value = &call.values[at];
    slipway_model_error* error =
        make_room(&container->torch, slipway_model_output(instance->method, i), container->place,
                  value, &call.tensors[at]);
    if (error == NULL) {
      error = take_error(
          opened_runtime()->slipway_method_set_output(instance->method, i, value->as.tensor));
    }
    slipway_model_values_free(value, 1);
    if (error != NULL) return error;
  }
  return NULL;
}

// That memory is the caller's, or nobody's, after a call.
static void forget_outputs(const struct container* container, const struct instance* instance) {
  const struct runtime* const runtime = opened_runtime();
  for (size_t i = 0; i < container->output_count; ++i) {
    if (container->places[container->input_count + i].type == kCpu) continue;
    runtime->slipway_error_free(runtime->slipway_method_set_output(instance->method, i, NULL));
  }
}

static slipway_model_error* run_model(const struct container* container,
                                      const struct instance* instance, void* stream,
                                      struct call call) {
  slipway_value* const results = call.values + container->input_count;
  if (container->place.type == kCpu) {
    return slipway_model_run(instance->method, call.values, container->input_count, results,
                             container->output_count);
  }
  return take_error(opened_runtime()->slipway_method_run_on_stream(
      instance->method, stream, call.values, container->input_count, results,
      container->output_count));
}

static slipway_model_error* run(const struct container* container, const struct instance* instance,
                                const tensor_handle* inputs, tensor_handle* outputs, void* stream,
                                struct call call) {
  slipway_model_error* error = read_inputs(container, inputs, call);
  if (error == NULL) error = place_outputs(container, instance, call);
  if (error == NULL) error = run_model(container, instance, stream, call);
  for (size_t i = 0; i < container->output_count && error == NULL; ++i) {
    const size_t at = container->input_count + i;
    error =
        write_output(&container->torch, &call.values[at], slipway_model_output(instance->method, i),
                     container->place, &call.tensors[at], &outputs[i]);
  }
  if (error == NULL) error = write_mutated_inputs(container, inputs, call);
  forget_outputs(container, instance);
  return error;
}

// PyTorch gives and frees memory of the GPU by the stream that is its current one.
static slipway_model_error* run_on_stream(const struct container* container,
                                          const struct instance* instance,
                                          const tensor_handle* inputs, tensor_handle* outputs,
                                          void* stream) {
  const struct torch* const torch = &container->torch;
  const size_t count = container->input_count + container->output_count;
  struct call call = {calloc(count + 1, sizeof(slipway_value)),
                      calloc(count + 1, sizeof(tensor_handle))};
  stream_guard guard = NULL;
  slipway_model_error* error = NULL;
  if (call.values == NULL || call.tensors == NULL) {
    error = make_error(SLIPWAY_RESOURCE_EXHAUSTED, "out of memory");
  } else if (container->place.type == kCuda && torch->aoti_torch_create_cuda_stream_guard(
                                                   stream, container->place.index, &guard) != 0) {
    error = make_error(SLIPWAY_UNAVAILABLE, "PyTorch can't use the stream %p of cuda:%d", stream,
                       (int)container->place.index);
  } else {
    error = run(container, instance, inputs, outputs, stream, call);
    slipway_model_values_free(call.values, count);
    for (size_t i = 0; i < count; ++i) {
      if (call.tensors[i] != NULL) torch->aoti_torch_delete_tensor_object(call.tensors[i]);
    }
  }
  if (guard != NULL) torch->aoti_torch_delete_cuda_stream_guard(guard);
  free(call.values);
  free(call.tensors);
  return error;
}

static slipway_model_error* run_in_turn(struct container* container, const tensor_handle* inputs,
                                        size_t input_count, tensor_handle* outputs,
                                        size_t output_count, void* stream) {
  if (input_count != container->tensor_count || output_count != container->output_count) {
    return make_error(
        SLIPWAY_INVALID_ARGUMENT,
        "the model takes %zu tensors and gives %zu, but it is called with %zu and for "
        "%zu",
        container->tensor_count, container->output_count, input_count, output_count);
  }
  struct instance* instance = NULL;
  slipway_model_error* error = take_instance(container, &instance);
  if (error != NULL) return error;
  error = run_on_stream(container, instance, inputs, outputs, stream);
  give_back(container, instance);
  return error;
}

AOTI_API status AOTInductorModelContainerRun(struct container* container,
                                             tensor_handle* input_handles, size_t num_inputs,
                                             tensor_handle* output_handles, size_t num_outputs,
                                             void* stream_handle, void* proxy_executor_handle) {
  (void)proxy_executor_handle;
  for (size_t i = 0; i < num_outputs; ++i) output_handles[i] = NULL;
  slipway_model_error* const error =
      run_in_turn(container, input_handles, num_inputs, output_handles, num_outputs, stream_handle);
  // They are given away, also to a call that fails.
  for (size_t i = 0; i < num_inputs; ++i) {
    if (input_handles[i] != NULL) {
      container->torch.aoti_torch_delete_tensor_object(input_handles[i]);
    }
    input_handles[i] = NULL;
  }
  if (error == NULL) return 0;
  for (size_t i = 0; i < num_outputs; ++i) {
    if (output_handles[i] != NULL) {
      container->torch.aoti_torch_delete_tensor_object(output_handles[i]);
    }
    output_handles[i] = NULL;
  }
  return fail_with(error);
}

AOTI_API status AOTInductorModelContainerRunSingleThreaded(struct container* container,
                                                           tensor_handle* input_handles,
                                                           size_t num_inputs,
                                                           tensor_handle* output_handles,
                                                           size_t num_outputs, void* stream_handle,
                                                           void* proxy_executor_handle) {
  return AOTInductorModelContainerRun(container, input_handles, num_inputs, output_handles,
                                      num_outputs, stream_handle, proxy_executor_handle);
}

// ---- What it is like.

AOTI_API status AOTInductorModelContainerGetNumInputs(struct container* container,
                                                      size_t* ret_num_inputs) {
  *ret_num_inputs = container->tensor_count;
  return 0;
}

AOTI_API status AOTInductorModelContainerGetInputName(struct container* container, size_t input_idx,
                                                      const char** ret_input_names) {
  for (size_t i = 0; i < container->input_count; ++i) {
    const slipway_value_info* const info = slipway_model_input(container->method, i);
    if (info->kind != SLIPWAY_TENSOR || input_idx-- > 0) continue;
    *ret_input_names = info->name;
    return 0;
  }
  return fail("there is no such input");
}

AOTI_API status AOTInductorModelContainerGetNumOutputs(struct container* container,
                                                       size_t* ret_num_outputs) {
  *ret_num_outputs = container->output_count;
  return 0;
}

AOTI_API status AOTInductorModelContainerGetOutputName(struct container* container,
                                                       size_t output_idx,
                                                       const char** ret_output_names) {
  const slipway_value_info* const info = slipway_model_output(container->method, output_idx);
  if (info == NULL) return fail("there is no such output");
  *ret_output_names = info->name;
  return 0;
}

AOTI_API status AOTInductorModelContainerGetCallSpec(struct container* container,
                                                     const char** in_spec, const char** out_spec) {
  *in_spec = opened_runtime()->slipway_method_input_spec(container->method);
  *out_spec = opened_runtime()->slipway_method_output_spec(container->method);
  if (*in_spec != NULL && *out_spec != NULL) return 0;
  return fail(
      "the inputs or outputs of this model nest in types of Python that only PyTorch's own archive "
      "has: call it by its flattened tensors (AOTIModelContainerRunner::run)");
}
