// AOTInductor's functions about constants. None has a name here: weights are in the engines and
// among the program's own.

#include <stdbool.h>
#include <stddef.h>

#include "model_library/stub/aoti.h"

static status no_constants(void) {
  return fail("the weights of this model are in its engines: compile it anew to change them");
}

AOTI_API status AOTInductorModelContainerGetNumConstants(struct container* container,
                                                         size_t* num_constants) {
  (void)container;
  *num_constants = 0;
  return 0;
}

AOTI_API status AOTInductorModelContainerGetConstantName(struct container* container, size_t idx,
                                                         const char** name) {
  (void)container, (void)idx, (void)name;
  return no_constants();
}

AOTI_API status AOTInductorModelContainerGetConstantOriginalFQN(struct container* container,
                                                                size_t idx,
                                                                const char** original_fqn) {
  (void)container, (void)idx, (void)original_fqn;
  return no_constants();
}

AOTI_API status AOTInductorModelContainerGetConstantDtype(struct container* container, size_t idx,
                                                          int32_t* dtype) {
  (void)container, (void)idx, (void)dtype;
  return no_constants();
}

AOTI_API status AOTInductorModelContainerGetConstantsBlobSize(struct container* container,
                                                              uint64_t* ret_size) {
  (void)container;
  *ret_size = 0;
  return 0;
}

AOTI_API status AOTInductorModelContainerDidCallLoadConstants(struct container* container,
                                                              bool* did_call_load_constants) {
  (void)container;
  *did_call_load_constants = true;
  return 0;
}

AOTI_API status AOTInductorModelUpdateConstantsFromBlob(struct container* container,
                                                        const uint8_t* weight_blob_ptr) {
  (void)container, (void)weight_blob_ptr;
  return no_constants();
}

// The map stays as it is, since there is nothing to put into it.
AOTI_API status AOTInductorModelContainerExtractConstantsMap(struct container* container,
                                                             void* constant_map_handle,
                                                             bool use_inactive) {
  (void)container, (void)constant_map_handle, (void)use_inactive;
  return 0;
}

AOTI_API status AOTInductorModelContainerUpdateConstantBuffer(struct container* container,
                                                              void* constant_map_handle,
                                                              bool use_inactive,
                                                              bool validate_full_update) {
  (void)container, (void)constant_map_handle, (void)use_inactive, (void)validate_full_update;
  return no_constants();
}

AOTI_API status AOTInductorModelContainerUpdateConstantBufferFromCpu(struct container* container,
                                                                     void* constant_map_handle,
                                                                     bool use_inactive,
                                                                     bool validate_full_update) {
  (void)container, (void)constant_map_handle, (void)use_inactive, (void)validate_full_update;
  return no_constants();
}

AOTI_API status AOTInductorModelContainerUpdateUserManagedConstantBuffer(
    struct container* container, void* constant_map_handle, bool use_inactive,
    bool validate_full_update) {
  (void)container, (void)constant_map_handle, (void)use_inactive, (void)validate_full_update;
  return no_constants();
}

AOTI_API status AOTInductorModelContainerUpdateInactiveConstantBuffer(struct container* container,
                                                                      void* constant_map_handle) {
  (void)container, (void)constant_map_handle;
  return no_constants();
}

// Nothing is folded at run time, and there is no second set: these change nothing, and may be
// called.
AOTI_API status AOTInductorModelContainerRunConstantFolding(struct container* container,
                                                            bool use_inactive, void* stream_handle,
                                                            void* proxy_executor_handle) {
  (void)container, (void)use_inactive, (void)stream_handle, (void)proxy_executor_handle;
  return 0;
}

AOTI_API status AOTInductorModelContainerSwapConstantBuffer(struct container* container) {
  (void)container;
  return 0;
}

AOTI_API status AOTInductorModelContainerFreeInactiveConstantBuffer(struct container* container) {
  (void)container;
  return 0;
}
