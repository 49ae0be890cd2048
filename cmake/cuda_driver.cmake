# Tests around NVIDIA's driver, which is opened at run time: nothing is linked with it.

if(NOT BUILD_TESTING)
  return()
endif()

# A stand-in for the driver, which tests open in its place and nothing installs.
add_library(cuda_stand_in_driver MODULE EXCLUDE_FROM_ALL tests/cuda/stand_in_driver.cc tests/cuda/stand_in_cublaslt.cc tests/cuda/stand_in_cudnn.cc tests/cuda/stand_in_cudnn_graph.cc
                                                      tests/cuda/host_kernels.cc tests/cuda/fibers.cc)
set_target_properties(cuda_stand_in_driver PROPERTIES CXX_VISIBILITY_PRESET default)
target_include_directories(cuda_stand_in_driver PRIVATE include src tests)
# It compiles kernels as C++ of the host, which it keeps here.
target_compile_definitions(cuda_stand_in_driver PRIVATE SLIPWAY_HOST_COMPILER="${CMAKE_CXX_COMPILER}" SLIPWAY_HOST_PRELUDE="${PROJECT_SOURCE_DIR}/tests/cuda/host_prelude.h"
                                                        SLIPWAY_HOST_KERNELS="${PROJECT_BINARY_DIR}/cuda/kernels")

# The driver itself, watched, for the same tests on a GPU (SLIPWAY_TEST_GPU). It is linked with a library of libcuda's name that has nothing.
file(WRITE ${PROJECT_BINARY_DIR}/cuda/empty.cc "")
add_library(cuda_name SHARED EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/cuda/empty.cc)
set_target_properties(cuda_name PROPERTIES OUTPUT_NAME cuda SOVERSION 1 LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/cuda)
add_library(cuda_watched_driver MODULE EXCLUDE_FROM_ALL tests/cuda/watched_driver.cc)
set_target_properties(cuda_watched_driver PROPERTIES CXX_VISIBILITY_PRESET default SKIP_BUILD_RPATH ON)
target_include_directories(cuda_watched_driver PRIVATE src)
target_link_options(cuda_watched_driver PRIVATE LINKER:--no-as-needed)
target_link_libraries(cuda_watched_driver PRIVATE cuda_name)

# A stand-in for ExecuTorch's library of that name.
add_library(cuda_stand_in_extension SHARED EXCLUDE_FROM_ALL tests/cuda/stand_in_extension.cc)
set_target_properties(cuda_stand_in_extension PROPERTIES OUTPUT_NAME extension_cuda CXX_VISIBILITY_PRESET default
                                                         LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/cuda)

function(slipway_uses_stand_in_driver test)
  target_compile_definitions(${test} PRIVATE SLIPWAY_TEST_DRIVERS="$<TARGET_FILE_DIR:cuda_stand_in_driver>"
                                             SLIPWAY_STAND_IN_EXTENSION="$<TARGET_FILE:cuda_stand_in_extension>")
  add_dependencies(${test} cuda_stand_in_driver cuda_watched_driver cuda_stand_in_extension)
endfunction()
slipway_uses_stand_in_driver(cuda_driver_test)
slipway_uses_stand_in_driver(cuda_allocator_test)
slipway_uses_stand_in_driver(conformance_test)
slipway_uses_stand_in_driver(golden_test)
