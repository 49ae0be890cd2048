# One INTERFACE target for each name in the third-party column of layers.txt: slipway_third_party_<name>.
# What the runtime library uses is linked statically, so that ExecuTorch is its only shared library.

set(SLIPWAY_EXECUTORCH ${PROJECT_SOURCE_DIR}/.deps/executorch CACHE PATH
    "The executorch folder of ExecuTorch's wheel")
if(NOT EXISTS ${SLIPWAY_EXECUTORCH}/lib/libexecutorch.so)
  message(FATAL_ERROR "ExecuTorch is not at ${SLIPWAY_EXECUTORCH}: run `make setup` first")
endif()

# ExecuTorch's own CMake package asks for Python and defines targets that cannot be installed, hence these.
set(SLIPWAY_EXECUTORCH_LIBRARIES executorch executorch_threadpool executorch_kernels_optimized
                                 executorch_kernels_quantized)
add_library(slipway_third_party_executorch INTERFACE)
target_include_directories(
  slipway_third_party_executorch SYSTEM
  INTERFACE ${SLIPWAY_EXECUTORCH}/include
            ${SLIPWAY_EXECUTORCH}/include/executorch/runtime/core/portable_type/c10)
target_compile_definitions(
  slipway_third_party_executorch INTERFACE C10_USING_CUSTOM_GENERATED_MACROS ET_EVENT_TRACER_ENABLED
                                           ET_USE_THREADPOOL)
foreach(name IN LISTS SLIPWAY_EXECUTORCH_LIBRARIES)
  add_library(${name} SHARED IMPORTED)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${SLIPWAY_EXECUTORCH}/lib/lib${name}.so
                                           IMPORTED_SONAME lib${name}.so)
  target_link_libraries(slipway_third_party_executorch INTERFACE ${name})
endforeach()
# The kernels register themselves when they are loaded: nothing refers to them, so --as-needed would drop them.
target_link_options(
  slipway_third_party_executorch INTERFACE
  "LINKER:--push-state,--no-as-needed,${SLIPWAY_EXECUTORCH}/lib/libexecutorch_kernels_optimized.so,${SLIPWAY_EXECUTORCH}/lib/libexecutorch_kernels_quantized.so,--pop-state"
)

set(SLIPWAY_OPENVINO ${PROJECT_SOURCE_DIR}/.deps/openvino CACHE PATH "The openvino folder of OpenVINO's wheel")
if(NOT EXISTS ${SLIPWAY_OPENVINO}/libs/libopenvino.so.2641)
  message(FATAL_ERROR "OpenVINO 2026.4.1 is not at ${SLIPWAY_OPENVINO}: run `make setup` first")
endif()
# The headers alone: only libslipway_openvino.so is linked with OpenVINO (openvino.cmake).
add_library(slipway_third_party_openvino INTERFACE)
target_include_directories(slipway_third_party_openvino SYSTEM INTERFACE ${SLIPWAY_OPENVINO}/include)

set(OPENSSL_USE_STATIC_LIBS ON)
set(Protobuf_USE_STATIC_LIBS ON)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_path(DEFLATE_INCLUDE libdeflate.h REQUIRED)
find_library(DEFLATE_LIBRARY libdeflate.a REQUIRED)
find_path(FMT_INCLUDE fmt/format-inl.h REQUIRED)
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
find_path(JPEG_INCLUDE jpeglib.h REQUIRED)
find_library(JPEG_LIBRARY libjpeg.a REQUIRED)
find_path(PNG_INCLUDE png.h REQUIRED)
find_library(PNG_LIBRARY libpng.a REQUIRED)
find_library(Z_LIBRARY libz.a REQUIRED)
find_path(FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
find_program(FLATC flatc REQUIRED)
find_file(ONNX_PROTO onnx/onnx.proto REQUIRED)

function(slipway_third_party name)
  add_library(slipway_third_party_${name} INTERFACE)
  target_link_libraries(slipway_third_party_${name} INTERFACE ${ARGN})
endfunction()
add_library(slipway_fmt STATIC ${CMAKE_CURRENT_LIST_DIR}/fmt.cc)
set_target_properties(slipway_fmt PROPERTIES ARCHIVE_OUTPUT_DIRECTORY layers)
slipway_third_party(fmt slipway_fmt)
slipway_third_party(crypto OpenSSL::Crypto Threads::Threads)
slipway_third_party(deflate ${DEFLATE_LIBRARY})
slipway_third_party(images ${JPEG_LIBRARY} ${PNG_LIBRARY} ${Z_LIBRARY} m)
slipway_third_party(json nlohmann_json::nlohmann_json)
slipway_third_party(cli11 CLI11::CLI11)
slipway_third_party(protobuf protobuf::libprotobuf-lite)
slipway_third_party(flatbuffers)
slipway_third_party(xxhash)
target_compile_definitions(slipway_third_party_xxhash INTERFACE XXH_INLINE_ALL)
