# libslipway_c.so: the C interface (slipway/slipway_c.h) with all that it needs, and its example.

# With sanitizers a shared library has their calls undefined.
if(NOT TARGET slipway_c_api OR NOT TARGET slipway_compile_library OR SLIPWAY_SANITIZE)
  return()
endif()

add_library(slipway_c SHARED $<TARGET_OBJECTS:slipway_c_api> ${SLIPWAY_OBJECTS_OF_runtime} ${SLIPWAY_OBJECTS_OF_compile})
target_include_directories(slipway_c INTERFACE ${PROJECT_SOURCE_DIR}/include)
# Debian compiles the static one for programs only.
find_library(PROTOBUF_LITE_SHARED libprotobuf-lite.so REQUIRED)
mark_as_advanced(PROTOBUF_LITE_SHARED)
target_link_libraries(slipway_c PRIVATE slipway_third_party_executorch slipway_third_party_crypto slipway_third_party_deflate
                                        ${PROTOBUF_LITE_SHARED})
set(exports ${PROJECT_SOURCE_DIR}/cmake/c_exports.map)
target_link_options(slipway_c PRIVATE LINKER:--version-script=${exports})
set_target_properties(slipway_c PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS ${exports} INSTALL_RPATH "$ORIGIN")
add_dependencies(slipway_c ${SLIPWAY_ENGINE_LIBRARIES} slipway-build-engine slipway-worker)
install(TARGETS slipway_c DESTINATION ${CMAKE_INSTALL_LIBDIR})
# Beside it, so that it needs no package of the machine that it runs on.
file(REAL_PATH ${PROTOBUF_LITE_SHARED} protobuf)
string(REGEX REPLACE "(\\.so\\.[0-9]+).*" "\\1" soname ${protobuf})
cmake_path(GET soname FILENAME soname)
install(FILES ${protobuf} DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME ${soname})

# As a user's program in C.
add_executable(run_model_c EXCLUDE_FROM_ALL examples/run_model.c)
target_compile_options(run_model_c PRIVATE -std=c11 -pedantic)
target_link_libraries(run_model_c PRIVATE slipway_c)
set_target_properties(run_model_c PROPERTIES RUNTIME_OUTPUT_DIRECTORY examples)
add_dependencies(examples run_model_c)

if(TARGET tests)
  add_test(NAME check_c_exports COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_exports.py
                                        $<TARGET_FILE:slipway_c>)
  # Opens the library by itself.
  add_executable(c_api_dlopen_test EXCLUDE_FROM_ALL tests/c_api/dlopen_test.c)
  target_compile_options(c_api_dlopen_test PRIVATE -std=c11 -pedantic)
  target_include_directories(c_api_dlopen_test PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(c_api_dlopen_test PRIVATE ${CMAKE_DL_LIBS})
  set_target_properties(c_api_dlopen_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY tests)
  add_dependencies(c_api_dlopen_test slipway_c)
  add_dependencies(tests c_api_dlopen_test run_model_c)
  add_test(NAME c_api_dlopen_test COMMAND c_api_dlopen_test $<TARGET_FILE:slipway_c>
                                          ${PROJECT_SOURCE_DIR}/tests/data/golden/mlp.pt2 ${PROJECT_BINARY_DIR}/tests/c_api.pte)
  add_test(NAME run_model_c COMMAND run_model_c ${PROJECT_BINARY_DIR}/tests/c_api.pte)
  # Models that are shared libraries, from C.
  add_test(NAME check_model_exports COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_exports.py
                                            $<TARGET_FILE:slipway_model>)
  add_executable(run_model_library EXCLUDE_FROM_ALL tests/model_library/run_model.c)
  target_compile_options(run_model_library PRIVATE -std=c11 -pedantic)
  target_include_directories(run_model_library PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(run_model_library PRIVATE ${CMAKE_DL_LIBS} m)
  set_target_properties(run_model_library PROPERTIES RUNTIME_OUTPUT_DIRECTORY tests)
  add_dependencies(tests run_model_library)
  set_property(SOURCE tests/large_library_test.cc APPEND PROPERTY COMPILE_DEFINITIONS SLIPWAY_RUN_MODEL_LIBRARY="$<TARGET_FILE:run_model_library>"
                                                                  SLIPWAY_C_LIBRARY="$<TARGET_FILE:slipway_c>")
  add_dependencies(tests_test run_model_library slipway_c)
  if(TARGET slipway)
    add_test(NAME model_library_golden_test
             COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/model_library/test_golden.py $<TARGET_FILE:slipway>
                     $<TARGET_FILE:run_model_library> $<TARGET_FILE:slipway_c> ${PROJECT_SOURCE_DIR}/tests/data/golden
                     ${PROJECT_BINARY_DIR}/model_library/golden)
  endif()
  # As PyTorch runs them on a GPU, by stand-ins for both.
  add_executable(aoti_cuda EXCLUDE_FROM_ALL tests/model_library/aoti_cuda.cc tests/model_library/stand_in_torch.cc)
  target_include_directories(aoti_cuda PRIVATE tests)
  target_link_libraries(aoti_cuda PRIVATE slipway_base slipway_cuda_driver)
  set_target_properties(aoti_cuda PROPERTIES RUNTIME_OUTPUT_DIRECTORY tests ENABLE_EXPORTS ON)
  slipway_tests(aoti_cuda_test tests/model_library/aoti_cuda_test.cc slipway_compile slipway_cuda_builder)
  target_compile_definitions(aoti_cuda_test PRIVATE SLIPWAY_AOTI_CUDA="$<TARGET_FILE:aoti_cuda>" SLIPWAY_C_LIBRARY="$<TARGET_FILE:slipway_c>")
  add_dependencies(aoti_cuda_test aoti_cuda slipway_c)
  slipway_uses_stand_in_driver(aoti_cuda_test)
  set_tests_properties(c_api_dlopen_test PROPERTIES FIXTURES_SETUP c_api_model)
  set_tests_properties(run_model_c PROPERTIES FIXTURES_REQUIRED c_api_model PASS_REGULAR_EXPRESSION "^output 0: float32\\[")
endif()
