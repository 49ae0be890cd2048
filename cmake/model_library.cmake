# libslipway_model.so: the shared library that a program is put behind (docs/formats/model_library.md). It is in the compiler, byte for byte, and
# not installed.

if(NOT TARGET slipway_compile)
  return()
endif()

set(stub ${PROJECT_SOURCE_DIR}/src/model_library/stub)
file(GLOB sources CONFIGURE_DEPENDS ${stub}/*.c)
set(folder ${PROJECT_BINARY_DIR}/model_library)
add_library(slipway_model MODULE ${sources})
target_include_directories(slipway_model PRIVATE include src)
target_compile_options(slipway_model PRIVATE -std=c11 -O2 -g0 -fvisibility=hidden -Wpedantic)
# Where it looks for libslipway_c.so.
target_link_options(slipway_model PRIVATE -s LINKER:--build-id=none LINKER:-rpath,$ORIGIN:$ORIGIN/lib:$ORIGIN/../lib)
if(SLIPWAY_SANITIZE)
  # Programs without sanitizers open it, too.
  target_compile_options(slipway_model PRIVATE -fno-sanitize=all)
  target_link_options(slipway_model PRIVATE -fno-sanitize=all)
endif()
set_target_properties(slipway_model PROPERTIES UNITY_BUILD OFF PREFIX lib SKIP_BUILD_RPATH ON LIBRARY_OUTPUT_DIRECTORY ${folder})

set(source ${PROJECT_SOURCE_DIR}/src/compile/library_stub.cc)
set_source_files_properties(
  ${source} PROPERTIES COMPILE_DEFINITIONS SLIPWAY_LIBRARY_STUB="${folder}/libslipway_model.so" OBJECT_DEPENDS ${folder}/libslipway_model.so
                       SKIP_UNITY_BUILD_INCLUSION ON)
