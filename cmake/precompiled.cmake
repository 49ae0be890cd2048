# What nearly every source includes of the standard library and of fmt, and every test of GoogleTest, is parsed once for each set of options:
# a third of the time to compile.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # With such headers g++ 12 warns of the standard library's own code (GCC bug 105329).
  add_compile_options(-Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()
# Without these ccache keeps nothing that is compiled with such headers.
if(CCACHE AND CMAKE_CXX_COMPILER_LAUNCHER STREQUAL CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  else()
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled/empty.cc CONTENT "")

# slipway_precompiled(<name> <headers>...): for target_precompile_headers(<target> REUSE_FROM slipway_precompiled_<name>). Targets have to
# have its options.
function(slipway_precompiled name)
  add_library(slipway_precompiled_${name} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/precompiled/empty.cc)
  target_link_libraries(slipway_precompiled_${name} PRIVATE slipway_third_party_fmt)
  target_precompile_headers(
    slipway_precompiled_${name} PRIVATE <algorithm> <cstdint> <functional> <map> <memory> <optional> <set> <span> <string> <string_view>
    <utility> <variant> <vector> <fmt/format.h> ${ARGN})
endfunction()

# The options of sources that are to be small rather than fast, and of tests, which compile a third faster so.
set(SLIPWAY_SMALL_OPTIONS $<$<CONFIG:Release>:-O1>)
set(SLIPWAY_TEST_OPTIONS $<$<CONFIG:Release>:-O0>)
if(SLIPWAY_SANITIZE)
  # What the tests' own sources do with addresses is watched, the rest of their instrumentation left out: it takes more than half of the
  # time to compile them.
  list(APPEND SLIPWAY_TEST_OPTIONS -O0 -fno-sanitize=undefined,fuzzer-no-link)
  # -O1 takes more than twice as long to compile what is instrumented.
  list(APPEND SLIPWAY_SMALL_OPTIONS -O0)
endif()

slipway_precompiled(fast)
slipway_precompiled(small)
target_compile_options(slipway_precompiled_small PRIVATE ${SLIPWAY_SMALL_OPTIONS})
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
  slipway_precompiled(tests <gtest/gtest.h>)
  target_link_libraries(slipway_precompiled_tests PRIVATE GTest::gtest)
  # As programs have it.
  set_target_properties(slipway_precompiled_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(slipway_precompiled_tests PRIVATE ${SLIPWAY_TEST_OPTIONS} -fPIE)
endif()
