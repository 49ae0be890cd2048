# libslipway_shared.so, the two libraries as one shared library, which tests alone use: it exports what the public headers mark.

# With sanitizers a shared library has their calls undefined.
if(NOT TARGET tests OR NOT TARGET slipway_compile_library OR SLIPWAY_SANITIZE)
  return()
endif()

add_library(slipway_shared SHARED EXCLUDE_FROM_ALL ${SLIPWAY_OBJECTS_OF_runtime} ${SLIPWAY_OBJECTS_OF_compile})
target_include_directories(slipway_shared INTERFACE ${PROJECT_SOURCE_DIR}/include)
# Debian compiles the static one for programs only.
find_library(PROTOBUF_LITE_SHARED libprotobuf-lite.so REQUIRED)
mark_as_advanced(PROTOBUF_LITE_SHARED)
target_link_libraries(slipway_shared PRIVATE slipway_third_party_executorch slipway_third_party_crypto
                                             slipway_third_party_deflate ${PROTOBUF_LITE_SHARED})
set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
target_link_options(slipway_shared PRIVATE LINKER:--version-script=${exports})
set_target_properties(slipway_shared PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS ${exports}
                                                LIBRARY_OUTPUT_DIRECTORY tests)
add_dependencies(tests slipway_shared)

add_test(NAME check_exports COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_exports.py
                                    $<TARGET_FILE:slipway_shared>)
slipway_tests(exports_test ${PROJECT_SOURCE_DIR}/tests/exports/exports_test.cc slipway_shared)
