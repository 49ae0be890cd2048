# The tool, the helper that builds engines, and the examples, tests, fuzz programs and benchmarks. All but the first two are in targets of
# their own (`examples`, `tests`, `fuzzers`, `benchmarks`), not in `all`.

# Whatever compiles starts it, from libexec/slipway beside its own folder (build/helper.h).
add_executable(slipway-build-engine src/helper/main.cc)
target_link_libraries(slipway-build-engine PRIVATE slipway_helper)
set_target_properties(slipway-build-engine PROPERTIES RUNTIME_OUTPUT_DIRECTORY libexec/slipway)
add_dependencies(slipway-build-engine slipway_openvino)

if(EXISTS ${PROJECT_SOURCE_DIR}/src/cli/main.cc)
  add_executable(slipway src/cli/main.cc)
  target_link_libraries(slipway PRIVATE slipway_cli)
  add_dependencies(slipway slipway_openvino slipway-build-engine)
  target_compile_definitions(slipway PRIVATE SLIPWAY_VERSION="${PROJECT_VERSION}")
endif()

# As a user's programs are: with the public headers and the libraries.
add_custom_target(examples)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.cc)
foreach(source IN LISTS sources)
  cmake_path(GET source STEM name)
  add_executable(${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(${name} PRIVATE slipway_compile slipway_runtime)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY examples)
  add_dependencies(${name} slipway_openvino slipway-build-engine)
  add_dependencies(examples ${name})
endforeach()

if(NOT BUILD_TESTING)
  return()
endif()
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
add_custom_target(tests)
add_custom_target(fuzzers)
add_custom_target(benchmarks)

set(test_environment "")
if(SLIPWAY_SANITIZE)
  # ExecuTorch's and GoogleTest's prebuilt libraries are not instrumented: a vector that grew in them has no annotations,
  # which the container-overflow check takes for an error.
  # OpenVINO's TBB would open a library in a way that the sanitizers refuse.
  list(APPEND test_environment ASAN_OPTIONS=detect_container_overflow=0
       UBSAN_OPTIONS=print_stacktrace=1 TBB_ENABLE_SANITIZERS=1)
  find_program(LLVM_SYMBOLIZER llvm-symbolizer-14)
  if(LLVM_SYMBOLIZER)
    list(APPEND test_environment ASAN_SYMBOLIZER_PATH=${LLVM_SYMBOLIZER} UBSAN_SYMBOLIZER_PATH=${LLVM_SYMBOLIZER})
  endif()
endif()

# slipway_program(<group> <name> <sources> <libraries>...)
function(slipway_program group name sources)
  add_executable(${name} EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(${name} PRIVATE ${ARGN})
  target_compile_definitions(${name} PRIVATE SLIPWAY_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${group})
  add_dependencies(${name} slipway_openvino slipway-build-engine)
  add_dependencies(${group} ${name})
  if(TARGET slipway AND name MATCHES "^(tests|cli)_test$")
    target_compile_definitions(${name} PRIVATE SLIPWAY_TOOL="$<TARGET_FILE:slipway>")
    add_dependencies(${name} slipway)
  endif()
endfunction()

function(slipway_tests name sources)
  slipway_program(tests ${name} "${sources}" ${ARGN} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set(environment ${test_environment})
  if(name MATCHES "^(runtime|compile|cli|tests|conformance|openvino_.*)_test$")
    # They run OpenVINO's threads, which the search for leaks now and then stumbles over when the program ends.
    list(TRANSFORM environment REPLACE "^(ASAN_OPTIONS=.*)" "\\1:detect_leaks=0")
  endif()
  if(name MATCHES "^(base|build|compile|cli)_test$")
    # They start programs that crash, and look at the signals.
    list(TRANSFORM environment REPLACE "^(ASAN_OPTIONS=.*)" "\\1:handle_segv=0:handle_sigbus=0")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT 1800 ENVIRONMENT "${environment}")
endfunction()

function(slipway_fuzzers_and_benchmarks folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*_fuzz.cc)
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    if(SLIPWAY_SANITIZE)
      slipway_program(fuzzers ${name} ${source} ${ARGN})
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    endif()
  endforeach()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*_benchmark.cc)
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    slipway_program(benchmarks ${name} ${source} ${ARGN} benchmark::benchmark_main)
  endforeach()
endfunction()

set(everything)
foreach(layer IN LISTS SLIPWAY_LAYERS)
  string(REPLACE "/" "_" target slipway_${layer})
  list(APPEND everything ${target})
  set(libraries ${target})
  foreach(name IN LISTS SLIPWAY_TESTS_OF_${target})
    string(REPLACE "/" "_" name slipway_${name})
    list(APPEND libraries ${name})
  endforeach()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*_test.cc)
  if(sources)
    string(REPLACE "/" "_" name ${layer}_test)
    slipway_tests(${name} "${sources}" ${libraries})
  endif()
  slipway_fuzzers_and_benchmarks(${PROJECT_SOURCE_DIR}/src/${layer} ${libraries})
endforeach()

# A helper that fails as it is told.
add_executable(stand_in_helper EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/helper/stand_in.cc)
target_link_libraries(stand_in_helper PRIVATE slipway_helper)
foreach(test build_test compile_test)
  target_compile_definitions(${test} PRIVATE SLIPWAY_STAND_IN_HELPER="$<TARGET_FILE:stand_in_helper>")
  add_dependencies(${test} stand_in_helper)
endforeach()

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*.cc)
list(FILTER sources EXCLUDE REGEX "_(fuzz|benchmark)\\.cc$")
if(sources)
  slipway_tests(tests_test "${sources}" ${everything})
endif()
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/conformance/*.cc)
slipway_tests(conformance_test "${sources}" ${everything})
target_compile_definitions(conformance_test PRIVATE
                           SLIPWAY_CONFORMANCE_CASES="${PROJECT_SOURCE_DIR}/tests/conformance/cases.zip")
slipway_fuzzers_and_benchmarks(${PROJECT_SOURCE_DIR}/tests ${everything})
slipway_fuzzers_and_benchmarks(${PROJECT_SOURCE_DIR}/bench ${everything})
# What bench/engine_benchmark.py asks. OpenVINO is called by its C interface, which is the same in every ABI of the C++ library.
slipway_program(benchmarks inference_server ${PROJECT_SOURCE_DIR}/bench/inference_server.cc slipway_runtime
                slipway_third_party_openvino ${SLIPWAY_OPENVINO}/libs/libopenvino_c.so.2641 openvino)
# What tests/fuzz_programs/run.py has compile and run its programs.
add_custom_target(fuzz_programs)
slipway_program(fuzz_programs program_driver ${PROJECT_SOURCE_DIR}/tests/fuzz_programs/program_driver.cc slipway_compile slipway_runtime)
# What bench/tensorrt_benchmark.py compares building with.
slipway_program(benchmarks tensorrt_floor ${PROJECT_SOURCE_DIR}/bench/tensorrt_floor.cc slipway_tensorrt_library)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME check_includes_test
         COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_includes_test.py)
