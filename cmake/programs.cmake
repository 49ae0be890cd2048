# The tool, the helper that builds engines, and the examples, tests, fuzz programs and benchmarks. All but the first two are in targets of
# their own (`examples`, `tests`, `fuzzers`, `benchmarks`), not in `all`.

# Whatever compiles starts it, from libexec/slipway beside its own folder (engine_build/helper.h).
add_executable(slipway-build-engine src/helper/main.cc)
target_link_libraries(slipway-build-engine PRIVATE slipway_helper)
# Whatever runs an isolated module starts it, from the same place (runtime/worker.h).
add_executable(slipway-worker src/worker/main.cc)
target_link_libraries(slipway-worker PRIVATE slipway_worker)
foreach(program slipway-build-engine slipway-worker)
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY libexec/slipway)
  add_dependencies(${program} ${SLIPWAY_ENGINE_LIBRARIES})
endforeach()

if(EXISTS ${PROJECT_SOURCE_DIR}/src/cli/main.cc)
  add_executable(slipway src/cli/main.cc)
  target_link_libraries(slipway PRIVATE slipway_cli)
  add_dependencies(slipway ${SLIPWAY_ENGINE_LIBRARIES} slipway-build-engine slipway-worker)
endif()

# As a user's programs are: with the public headers and the libraries.
add_custom_target(examples)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.cc)
foreach(source IN LISTS sources)
  cmake_path(GET source STEM name)
  add_executable(${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(${name} PRIVATE slipway_compile slipway_runtime)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY examples)
  add_dependencies(${name} ${SLIPWAY_ENGINE_LIBRARIES} slipway-build-engine slipway-worker)
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
  # Half as many random mutants as without (tests/mutants.h), a fifth of the calls that nothing has checked (ir/call_test.h).
  list(APPEND test_environment ASAN_OPTIONS=detect_container_overflow=0
       UBSAN_OPTIONS=print_stacktrace=1 TBB_ENABLE_SANITIZERS=1 SLIPWAY_MUTATIONS=200 SLIPWAY_EVERY_CALL=5)
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
  add_dependencies(${name} ${SLIPWAY_ENGINE_LIBRARIES} slipway-build-engine slipway-worker)
  add_dependencies(${group} ${name})
  if(TARGET slipway AND name MATCHES "^(tests|cli|stand_in)_test$")
    target_compile_definitions(${name} PRIVATE SLIPWAY_TOOL="$<TARGET_FILE:slipway>")
    add_dependencies(${name} slipway)
  endif()
endfunction()

function(slipway_tests name sources)
  slipway_program(tests ${name} "${sources}" ${ARGN} GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${SLIPWAY_TEST_OPTIONS})
  target_precompile_headers(${name} REUSE_FROM slipway_precompiled_tests)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  if(name MATCHES "^(pt2|runtime|tests|golden)_test$")
    # Names of their sources clash, and ExecuTorch's headers declare FlatBuffers' classes their own way.
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  endif()
  set(environment ${test_environment})
  if(name MATCHES "^(runtime|compile|cli|tests|golden|conformance|stand_in|openvino_.*)_test$")
    # They run OpenVINO's threads, which the search for leaks now and then stumbles over when the program ends.
    list(TRANSFORM environment REPLACE "^(ASAN_OPTIONS=.*)" "\\1:detect_leaks=0")
  endif()
  if(name MATCHES "^(base|engine_build|runtime|compile|cli)_test$")
    # They start programs that crash, and look at the signals.
    list(TRANSFORM environment REPLACE "^(ASAN_OPTIONS=.*)" "\\1:handle_segv=0:handle_sigbus=0")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT 1800 ENVIRONMENT "${environment}")
endfunction()

# slipway_fuzzers_and_benchmarks(<sources> <libraries>...): a program of each *_fuzz.cc and *_benchmark.cc among the sources.
function(slipway_fuzzers_and_benchmarks sources)
  foreach(source IN LISTS sources)
    if(NOT source MATCHES "_fuzz\\.cc$")
      continue()
    endif()
    cmake_path(GET source STEM name)
    if(SLIPWAY_SANITIZE)
      slipway_program(fuzzers ${name} ${source} ${ARGN})
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    endif()
  endforeach()
  list(FILTER sources INCLUDE REGEX "_benchmark\\.cc$")
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
  slipway_layer_files(sources ${layer} *_test.cc)
  if(sources)
    string(REPLACE "/" "_" name ${layer}_test)
    slipway_tests(${name} "${sources}" ${libraries})
  endif()
  slipway_layer_files(sources ${layer} *.cc)
  slipway_fuzzers_and_benchmarks("${sources}" ${libraries})
endforeach()

# A helper that fails as it is told.
add_executable(stand_in_helper EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/helper/stand_in.cc)
target_link_libraries(stand_in_helper PRIVATE slipway_helper)
foreach(test engine_build_test compile_test)
  target_compile_definitions(${test} PRIVATE SLIPWAY_STAND_IN_HELPER="$<TARGET_FILE:stand_in_helper>")
  add_dependencies(${test} stand_in_helper)
endforeach()

# What a second copy of ExecuTorch in a process shows.
add_library(second_executorch MODULE EXCLUDE_FROM_ALL tests/helper/second_executorch.cc)
target_compile_definitions(second_executorch PRIVATE C10_USING_CUSTOM_GENERATED_MACROS)
target_include_directories(second_executorch SYSTEM PRIVATE ${SLIPWAY_EXECUTORCH}/include
                                                            ${SLIPWAY_EXECUTORCH}/include/executorch/runtime/core/portable_type/c10)
target_compile_definitions(delegate_test PRIVATE SLIPWAY_SECOND_EXECUTORCH="$<TARGET_FILE:second_executorch>")
add_dependencies(delegate_test second_executorch)

# An engine like those under src/, but that only the programs which link its objects have (SLIPWAY_ENGINE_OF_TESTS).
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/stand_in/*/*.cc)
add_library(slipway_stand_in OBJECT EXCLUDE_FROM_ALL ${sources})
target_include_directories(slipway_stand_in PUBLIC ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(slipway_stand_in PUBLIC slipway_engine_build slipway_delegate)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/stand_in/*_test.cc)
list(APPEND sources ${PROJECT_SOURCE_DIR}/tests/mutants.cc)
slipway_tests(stand_in_test "${sources}" slipway_stand_in ${everything})
# The rules of the list hold for it, too.
target_link_libraries(engine_list_compilers_test PRIVATE slipway_stand_in)

file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*.cc)
list(FILTER sources EXCLUDE REGEX "(_(fuzz|benchmark)|/golden_test|/decoder_test|/packed_weights_test|/tuning_test|/executorch_module)\\.cc$")
if(sources)
  slipway_tests(tests_test "${sources}" ${everything})
endif()
# By itself, so that little has to be built for it where another processor is emulated (tools/test_aarch64.sh).
slipway_tests(golden_test "tests/golden_test.cc;tests/decoder_test.cc;tests/packed_weights_test.cc;tests/tuning_test.cc;tests/executorch_module.cc" slipway_compile
              slipway_cuda_builder)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/conformance/*.cc)
slipway_tests(conformance_test "${sources}" slipway_stand_in ${everything})
# It takes the longest by far: each engine's column is a test by itself, and OpenVINO's two, so that cores share the work.
get_property(conformance_environment TEST conformance_test PROPERTY ENVIRONMENT)
# slipway_conformance_test(<name> <filter> <shards> <shard>): one of so many parts of the programs that the filter takes.
function(slipway_conformance_test name filter shards shard)
  if(NOT name STREQUAL conformance_test)
    add_test(NAME ${name} COMMAND conformance_test --gtest_brief=1)
  endif()
  set_tests_properties(
    ${name} PROPERTIES TIMEOUT 1800
                       ENVIRONMENT "${conformance_environment};GTEST_FILTER=${filter};GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${shard}")
endfunction()
# A part is enough under sanitizers, where the programs are slow: they are compared without, and what reads them is tested by itself.
set(shards_of_all 1)
set(shards_of_cuda 8)
set(shards_of_openvino 2)
if(SLIPWAY_SANITIZE)
  set(shards_of_all 12)
  set(shards_of_cuda 64)
  set(shards_of_openvino 64)
endif()
slipway_conformance_test(conformance_test "-OpenVino/*:Cuda/*" ${shards_of_all} 0)
slipway_conformance_test(conformance_cuda_test "Cuda/*" ${shards_of_cuda} 0)
slipway_conformance_test(conformance_openvino_0_test "OpenVino/*" ${shards_of_openvino} 0)
slipway_conformance_test(conformance_openvino_1_test "OpenVino/*" ${shards_of_openvino} 1)
target_compile_definitions(conformance_test PRIVATE
                           SLIPWAY_CONFORMANCE_CASES="${PROJECT_SOURCE_DIR}/tests/conformance/cases.zip")
file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*.cc)
slipway_fuzzers_and_benchmarks("${sources}" ${everything})
# Linked with what runs programs alone, so that little has to be built for it under ThreadSanitizer (preset `thread`), too.
add_executable(threads_test EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/threads/threads_test.cc)
target_link_libraries(threads_test PRIVATE slipway_runtime GTest::gtest_main)
target_compile_definitions(threads_test PRIVATE SLIPWAY_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
set_target_properties(threads_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY tests)
add_dependencies(threads_test ${SLIPWAY_ENGINE_LIBRARIES})
add_dependencies(tests threads_test)
add_test(NAME threads_test COMMAND threads_test --gtest_brief=1)
list(TRANSFORM test_environment REPLACE "^(ASAN_OPTIONS=.*)" "\\1:detect_leaks=0" OUTPUT_VARIABLE environment)
list(APPEND environment TBB_ENABLE_SANITIZERS=1
     TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/threads/suppressions.txt)
set_tests_properties(threads_test PROPERTIES ENVIRONMENT "${environment}")
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.cc)
slipway_fuzzers_and_benchmarks("${sources}" ${everything})
# What bench/engine_benchmark.py asks. OpenVINO is called by its C interface, which is the same in every ABI of the C++ library.
slipway_program(benchmarks inference_server ${PROJECT_SOURCE_DIR}/bench/inference_server.cc slipway_runtime
                slipway_third_party_openvino ${SLIPWAY_OPENVINO}/libs/libopenvino_c.so.2641 openvino)
# What bench/cuda_benchmark.py calls.
slipway_program(benchmarks cuda_calls ${PROJECT_SOURCE_DIR}/bench/cuda_calls.cc slipway_runtime slipway_cuda_driver GTest::gtest)
# What tests/fuzz_programs/run.py has compile and run its programs.
add_custom_target(fuzz_programs)
slipway_program(fuzz_programs program_driver ${PROJECT_SOURCE_DIR}/tests/fuzz_programs/program_driver.cc slipway_compile slipway_runtime)
# What bench/tensorrt_benchmark.py compares building with.
slipway_program(benchmarks tensorrt_floor ${PROJECT_SOURCE_DIR}/bench/tensorrt_floor.cc slipway_tensorrt_library)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME check_includes_test
         COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_includes_test.py)
add_test(NAME check_exports_test
         COMMAND ${CMAKE_COMMAND} -E env CXX=${CMAKE_CXX_COMPILER} ${Python3_EXECUTABLE}
                 ${PROJECT_SOURCE_DIR}/tools/check_exports_test.py)
add_test(NAME check_engine_names_test
         COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_engine_names_test.py)
add_test(NAME check_compatibility
         COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_compatibility.py)
add_test(NAME check_test_data
         COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_test_data.py
                 ${PROJECT_SOURCE_DIR}/tests/data ${PROJECT_SOURCE_DIR}/tests/conformance)
