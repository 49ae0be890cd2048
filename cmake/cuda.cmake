# Tests around NVIDIA's driver, which is opened at run time: nothing is linked with it.

if(NOT BUILD_TESTING)
  return()
endif()

# A stand-in for the driver, which tests open in its place and nothing installs.
add_library(cuda_stand_in_driver MODULE EXCLUDE_FROM_ALL tests/cuda/stand_in_driver.cc)
set_target_properties(cuda_stand_in_driver PROPERTIES CXX_VISIBILITY_PRESET default)
target_include_directories(cuda_stand_in_driver PRIVATE src)
function(slipway_uses_stand_in_driver test)
  target_compile_definitions(${test} PRIVATE SLIPWAY_STAND_IN_DRIVER="$<TARGET_FILE:cuda_stand_in_driver>")
  add_dependencies(${test} cuda_stand_in_driver)
endfunction()
slipway_uses_stand_in_driver(cuda_driver_test)
