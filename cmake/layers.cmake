# Makes a library slipway_<layer> of each layer in layers.txt, of the folder and of those below it that are no layers themselves. A folder
# without sources yet, or with headers only, becomes an INTERFACE library, so that others can name it all the same.

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/layers.txt)
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/layers.txt rows REGEX "^[^#]")

list(TRANSFORM rows REPLACE "[ |].*" "" OUTPUT_VARIABLE layers)
# slipway_layer_files(<variable> <layer> <pattern>): the files of that name that belong to the layer.
function(slipway_layer_files variable layer pattern)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/${pattern})
  foreach(other IN LISTS layers)
    if(other MATCHES "^${layer}/")
      list(FILTER files EXCLUDE REGEX "^${PROJECT_SOURCE_DIR}/src/${other}/")
    endif()
  endforeach()
  set(${variable} ${files} PARENT_SCOPE)
endfunction()

set(SLIPWAY_LAYERS)
set(SLIPWAY_ENGINES)  # those with a library of their own, slipway_<engine>, which cmake/<engine>.cmake defines
foreach(row IN LISTS rows)
  string(REPLACE "|" ";" columns "${row}|||||")
  list(TRANSFORM columns STRIP)
  list(GET columns 0 layer)
  list(GET columns 1 library)
  list(GET columns 2 includes)
  list(GET columns 3 third_party)
  list(GET columns 4 tests)
  list(APPEND SLIPWAY_LAYERS ${layer})
  if(NOT library MATCHES "^(runtime|compile|tool|delegate)$")
    list(APPEND SLIPWAY_ENGINES ${library})
  endif()
  string(REPLACE "/" "_" target slipway_${layer})

  set(folder ${PROJECT_SOURCE_DIR}/src/${layer})
  slipway_layer_files(sources ${layer} *.cc)
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|benchmark)\\.cc$")
  list(REMOVE_ITEM sources ${folder}/main.cc)
  file(GLOB texts CONFIGURE_DEPENDS ${folder}/*.txt)
  if(sources OR texts)
    set(scope PUBLIC)
    add_library(${target} STATIC ${sources})
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX ARCHIVE_OUTPUT_DIRECTORY layers)
    list(APPEND SLIPWAY_LAYERS_OF_${library} ${target})
    set(precompiled fast)
    if(library MATCHES "^(compile|tool)$")
      set(precompiled small)
      # They leave long computations to the other layers and to engines: -O2 takes a quarter longer to compile them.
      target_compile_options(${target} PRIVATE ${SLIPWAY_SMALL_OPTIONS})
    elseif(NOT SLIPWAY_GROUP_RUNTIME OR layer MATCHES "^(runtime|openvino/.*)$")
      # Not grouped: ExecuTorch's headers declare FlatBuffers' classes their own way, and tests link what does not call OpenVINO without it.
      set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
    endif()
    target_precompile_headers(${target} REUSE_FROM slipway_precompiled_${precompiled})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  target_include_directories(
    ${target} ${scope} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
                       ${PROJECT_BINARY_DIR}/generated)

  separate_arguments(includes)
  separate_arguments(third_party)
  separate_arguments(tests)
  set(SLIPWAY_TESTS_OF_${target} ${tests})
  foreach(name IN LISTS includes)
    string(REPLACE "/" "_" name slipway_${name})
    if(NOT TARGET ${name})
      message(FATAL_ERROR "layers.txt: ${layer} includes ${name}, which is not a layer above it")
    endif()
    target_link_libraries(${target} ${scope} ${name})
  endforeach()
  foreach(name IN LISTS third_party)
    if(NOT TARGET slipway_third_party_${name})
      message(FATAL_ERROR "layers.txt: ${layer} uses ${name}, which third_party.cmake does not define")
    endif()
    target_link_libraries(${target} ${scope} slipway_third_party_${name})
  endforeach()

  # src/schema/aten_schemas.txt is slipway::schema::kAtenSchemas.
  foreach(text IN LISTS texts)
    cmake_path(GET text STEM stem)
    string(REPLACE "_" ";" words ${stem})
    set(symbol k)
    foreach(word IN LISTS words)
      string(SUBSTRING ${word} 0 1 head)
      string(SUBSTRING ${word} 1 -1 tail)
      string(TOUPPER ${head} head)
      string(APPEND symbol ${head}${tail})
    endforeach()
    slipway_embed(${layer} ${text} ${symbol})
  endforeach()
endforeach()

slipway_embed(inspect ${PROJECT_SOURCE_DIR}/src/inspect/report.html kReport inspection)

list(REMOVE_DUPLICATES SLIPWAY_ENGINES)
list(TRANSFORM SLIPWAY_ENGINES PREPEND slipway_ OUTPUT_VARIABLE SLIPWAY_ENGINE_LIBRARIES)

set_source_files_properties(${PROJECT_SOURCE_DIR}/src/base/version.cc PROPERTIES COMPILE_DEFINITIONS SLIPWAY_VERSION="${PROJECT_VERSION}")
# `slipway --version` names the ExecuTorch that it is built with.
file(STRINGS ${SLIPWAY_EXECUTORCH}/version.py executorch_version REGEX "^__version__ = ")
string(REGEX REPLACE "^__version__ = .([0-9.]+).*" "\\1" executorch_version "${executorch_version}")
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/cli/versions.cc PROPERTIES COMPILE_DEFINITIONS
                                                                                 SLIPWAY_EXECUTORCH_VERSION="${executorch_version}")

# slipway_tables(<layer> <schema>): the headers of ExecuTorch's schema and of the scalar types beside it, "<layer>/<name>_generated.h".
function(slipway_tables layer schema)
  string(REPLACE "/" "_" target slipway_${layer})
  string(REPLACE "_format" "" schema_target ${target})
  cmake_path(GET schema PARENT_PATH folder)
  cmake_path(GET schema STEM name)
  set(generated ${PROJECT_BINARY_DIR}/generated/${layer})
  set(headers ${generated}/${name}_generated.h ${generated}/scalar_type_generated.h)
  add_custom_command(
    OUTPUT ${headers}
    COMMAND ${FLATC} --cpp --cpp-std c++17 --scoped-enums -o ${generated} ${schema} ${folder}/scalar_type.fbs
    DEPENDS ${schema} ${folder}/scalar_type.fbs
    COMMENT "Generating ${layer}/${name}_generated.h")
  add_custom_target(${schema_target}_schema DEPENDS ${headers})
  add_dependencies(${target} ${schema_target}_schema)
endfunction()
# Of a .pte file, and of a data file.
slipway_tables(pte/format ${SLIPWAY_EXECUTORCH}/schema/program.fbs)
slipway_tables(ptd ${SLIPWAY_EXECUTORCH}/extension/flat_tensor/serialize/flat_tensor.fbs)

# And of what its delegate for XNNPACK is given: "xnnpack/format/xnnpack_generated.h".
set(generated ${PROJECT_BINARY_DIR}/generated/xnnpack/format)
configure_file(${SLIPWAY_EXECUTORCH}/backends/xnnpack/serialization/runtime_schema.fbs ${generated}/xnnpack.fbs COPYONLY)
add_custom_command(
  OUTPUT ${generated}/xnnpack_generated.h
  COMMAND ${FLATC} --cpp --cpp-std c++17 --scoped-enums -o ${generated} ${generated}/xnnpack.fbs
  DEPENDS ${generated}/xnnpack.fbs
  COMMENT "Generating xnnpack/format/xnnpack_generated.h")
add_custom_target(slipway_xnnpack_schema DEPENDS ${generated}/xnnpack_generated.h)
add_dependencies(slipway_xnnpack_format slipway_xnnpack_schema)

# And of the profiles that its developer tools read: "profile/etdump_generated.h".
set(generated ${PROJECT_BINARY_DIR}/generated/profile)
configure_file(${SLIPWAY_EXECUTORCH}/devtools/etdump/etdump_schema_flatcc.fbs ${generated}/etdump.fbs COPYONLY)
configure_file(${SLIPWAY_EXECUTORCH}/schema/scalar_type.fbs ${generated}/scalar_type.fbs COPYONLY)
add_custom_command(
  OUTPUT ${generated}/etdump_generated.h
  COMMAND ${FLATC} --cpp --cpp-std c++17 --scoped-enums -o ${generated} ${generated}/etdump.fbs ${generated}/scalar_type.fbs
  DEPENDS ${generated}/etdump.fbs ${generated}/scalar_type.fbs
  COMMENT "Generating profile/etdump_generated.h")
add_custom_target(slipway_etdump_schema DEPENDS ${generated}/etdump_generated.h)
add_dependencies(slipway_profile slipway_etdump_schema)

# And of the table of an engine for NVIDIA GPUs, with the objects that a writer fills: "cuda/format/engine_generated.h".
set(generated ${PROJECT_BINARY_DIR}/generated/cuda/format)
set(schema ${PROJECT_SOURCE_DIR}/src/cuda/format/engine.fbs)
add_custom_command(
  OUTPUT ${generated}/engine_generated.h
  COMMAND ${FLATC} --cpp --cpp-std c++17 --scoped-enums --gen-object-api -o ${generated} ${schema}
  DEPENDS ${schema}
  COMMENT "Generating cuda/format/engine_generated.h")
add_custom_target(slipway_cuda_schema DEPENDS ${generated}/engine_generated.h)
add_dependencies(slipway_cuda_format slipway_cuda_schema)

# ONNX's messages, in a namespace of our own so that no engine's copy of them is met: "onnx/model.pb.h".
set(generated ${PROJECT_BINARY_DIR}/generated/onnx)
file(READ ${ONNX_PROTO} messages)
string(REPLACE "package onnx;" "package slipway.onnx.proto;" messages "${messages}")
file(CONFIGURE OUTPUT ${generated}/model.proto @ONLY CONTENT "@messages@")
add_custom_command(
  OUTPUT ${generated}/model.pb.h ${generated}/model.pb.cc
  COMMAND protobuf::protoc --proto_path=${PROJECT_BINARY_DIR}/generated
          --cpp_out=${PROJECT_BINARY_DIR}/generated onnx/model.proto
  DEPENDS ${generated}/model.proto
  COMMENT "Generating onnx/model.pb.h")
add_custom_target(slipway_onnx_proto DEPENDS ${generated}/model.pb.h ${generated}/model.pb.cc)
add_dependencies(slipway_onnx slipway_onnx_proto)
target_sources(slipway_onnx PRIVATE ${generated}/model.pb.cc)
set_source_files_properties(${generated}/model.pb.cc PROPERTIES COMPILE_OPTIONS -w)
