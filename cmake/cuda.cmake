# libslipway_cuda.so: the engine of generated kernels, opened on demand from beside the program, its libraries or by its run path. NVIDIA's
# driver is opened at run time: nothing here is linked with it. Then tests around it that need more than sources.

add_library(slipway_cuda SHARED $<TARGET_OBJECTS:slipway_cuda_delegate> $<TARGET_OBJECTS:slipway_cuda_options>
                                $<TARGET_OBJECTS:slipway_cuda_allocator> $<TARGET_OBJECTS:slipway_delegate>)
# What these need of the layers below, out of their archives.
target_link_libraries(slipway_cuda PRIVATE slipway_cuda_format slipway_cuda_libraries slipway_cuda_driver slipway_engine slipway_base executorch)
set(exports ${PROJECT_SOURCE_DIR}/cmake/cuda_exports.map)
target_link_options(slipway_cuda PRIVATE LINKER:--version-script=${exports})
set_target_properties(slipway_cuda PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS ${exports} INSTALL_RPATH "$ORIGIN")

if(NOT BUILD_TESTING)
  return()
endif()

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cuda/delegate/*_test.cc)
slipway_tests(cuda_delegate_stand_in_test "${sources}" slipway_cuda_builder slipway_cuda_driver slipway_cuda_libraries slipway_cuda_format slipway_runtime slipway_delegate GTest::gmock)
target_include_directories(cuda_delegate_stand_in_test PRIVATE tests)
slipway_uses_stand_in_driver(cuda_delegate_stand_in_test)
