# Tests around TensorRT that need more than sources. TensorRT itself is opened at run time, and nothing here is linked with it.

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

foreach(folder IN LISTS TENSORRT_INCLUDE_DIR)
  file(STRINGS ${folder}/NvInferVersion.h lines REGEX "define (TRT_(MAJOR|MINOR|PATCH)_ENTERPRISE|NV_TENSORRT_(MAJOR|MINOR|PATCH)) [0-9]")
  string(REGEX MATCHALL "(MAJOR|MINOR|PATCH)(_ENTERPRISE)? [0-9]+" numbers "${lines}")
  string(REGEX REPLACE "[^0-9;]" "" numbers "${numbers}")
  string(REPLACE ";" "_" version "${numbers}")
  slipway_tests(tensorrt_slots_${version}_test tests/tensorrt/slots_test.cc slipway_tensorrt_library)
  target_include_directories(tensorrt_slots_${version}_test SYSTEM PRIVATE ${folder} tests/tensorrt/cuda)
  target_compile_options(tensorrt_slots_${version}_test PRIVATE -Wno-deprecated-declarations)
endforeach()
