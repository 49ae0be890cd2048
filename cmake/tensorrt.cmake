# libslipway_tensorrt.so: TensorRT's engine, opened on demand from beside the program, its libraries or by its run path. TensorRT itself and
# NVIDIA's driver are opened at run time: nothing here is linked with them. Then tests around TensorRT that need more than sources.

add_library(slipway_tensorrt SHARED $<TARGET_OBJECTS:slipway_tensorrt_delegate> $<TARGET_OBJECTS:slipway_cuda_options>
                                    $<TARGET_OBJECTS:slipway_cuda_allocator>
                                    $<TARGET_OBJECTS:slipway_delegate>)
# What these need of the layers below, out of their archives.
target_link_libraries(slipway_tensorrt PRIVATE slipway_tensorrt_format slipway_tensorrt_library slipway_cuda_driver slipway_engine
                                               slipway_base executorch)
set(exports ${PROJECT_SOURCE_DIR}/cmake/tensorrt_exports.map)
target_link_options(slipway_tensorrt PRIVATE LINKER:--version-script=${exports})
set_target_properties(slipway_tensorrt PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS ${exports} INSTALL_RPATH "$ORIGIN")

set(TENSORRT_INCLUDE_DIR "" CACHE STRING
    "Folders with TensorRT's official headers, one a version: each makes a test that compares our tables with them")

if(NOT BUILD_TESTING)
  return()
endif()

# Claims to be the version that the environment variable SLIPWAY_STAND_IN_VERSION says.
add_library(tensorrt_stand_in MODULE EXCLUDE_FROM_ALL tests/tensorrt/stand_in.cc)
set_target_properties(tensorrt_stand_in PROPERTIES CXX_VISIBILITY_PRESET default)
foreach(test tensorrt_library_test tensorrt_builder_test cli_test)
  target_compile_definitions(${test} PRIVATE SLIPWAY_TENSORRT_STAND_IN="$<TARGET_FILE:tensorrt_stand_in>")
  add_dependencies(${test} tensorrt_stand_in)
endforeach()

slipway_uses_stand_in_driver(tensorrt_builder_test)

foreach(folder IN LISTS TENSORRT_INCLUDE_DIR)
  file(STRINGS ${folder}/NvInferVersion.h lines REGEX "define (TRT_(MAJOR|MINOR|PATCH)_ENTERPRISE|NV_TENSORRT_(MAJOR|MINOR|PATCH)) [0-9]")
  string(REGEX MATCHALL "(MAJOR|MINOR|PATCH)(_ENTERPRISE)? [0-9]+" numbers "${lines}")
  string(REGEX REPLACE "[^0-9;]" "" numbers "${numbers}")
  string(REPLACE ";" "_" version "${numbers}")
  slipway_tests(tensorrt_slots_${version}_test tests/tensorrt/slots_test.cc slipway_tensorrt_library)
  target_include_directories(tensorrt_slots_${version}_test SYSTEM PRIVATE ${folder} tests/tensorrt/cuda)
  target_compile_options(tensorrt_slots_${version}_test PRIVATE -Wno-deprecated-declarations)
endforeach()

# A stand-in for TensorRT's runtime, which computes on the devices of the stand-in for NVIDIA's driver; never installed.
add_library(tensorrt_stand_in_runtime MODULE EXCLUDE_FROM_ALL tests/tensorrt/stand_in_gpu.cc
            tests/tensorrt/stand_in_plan.cc tests/tensorrt/stand_in_runtime.cc)
set_target_properties(tensorrt_stand_in_runtime PROPERTIES CXX_VISIBILITY_PRESET default)
target_include_directories(tensorrt_stand_in_runtime PRIVATE tests)
target_link_libraries(tensorrt_stand_in_runtime PRIVATE slipway_tensorrt_library)
if(SLIPWAY_SANITIZE)
  # Its functions are called as methods of classes that are not theirs.
  target_compile_options(tensorrt_stand_in_runtime PRIVATE -fno-sanitize=function,vptr)
endif()
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/tensorrt/delegate/*_test.cc)
set(libraries slipway_compile slipway_cuda_driver slipway_pte_emitter slipway_pte_reader slipway_runtime slipway_tensorrt_format
              slipway_tensorrt_library)
slipway_tests(tensorrt_delegate_stand_in_test "${sources};tests/executorch_module.cc" ${libraries})
slipway_program(benchmarks tensorrt_delegate_benchmark tests/tensorrt/delegate/benchmark.cc ${libraries} GTest::gmock
                benchmark::benchmark_main)
foreach(program tensorrt_delegate_stand_in_test tensorrt_delegate_benchmark cli_test)
  target_include_directories(${program} PRIVATE tests)
  target_compile_definitions(${program} PRIVATE
                             SLIPWAY_STAND_IN_TENSORRT="$<TARGET_FILE:tensorrt_stand_in_runtime>")
  add_dependencies(${program} tensorrt_stand_in_runtime)
  slipway_uses_stand_in_driver(${program})
endforeach()
