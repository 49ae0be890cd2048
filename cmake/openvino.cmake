# libslipway_openvino.so: OpenVINO's engine, opened on demand from beside the program, its libraries or by its run path. The last folder
# of that is where OpenVINO's own wheel lies beside the Python package.

# OpenVINO's headers may want the library's older ABI.
set_target_properties(slipway_openvino_shim PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)
target_compile_definitions(slipway_openvino_shim PRIVATE $<$<BOOL:${SLIPWAY_SANITIZE}>:SLIPWAY_SANITIZE>)

add_library(slipway_openvino SHARED $<TARGET_OBJECTS:slipway_openvino_shim>
                                    $<TARGET_OBJECTS:slipway_openvino_delegate> $<TARGET_OBJECTS:slipway_delegate>)
add_library(openvino SHARED IMPORTED)
set_target_properties(openvino PROPERTIES IMPORTED_LOCATION ${SLIPWAY_OPENVINO}/libs/libopenvino.so.2641
                                          IMPORTED_SONAME libopenvino.so.2641)
target_link_libraries(slipway_openvino PRIVATE executorch openvino)
set(exports ${PROJECT_SOURCE_DIR}/cmake/openvino_exports.map)
target_link_options(slipway_openvino PRIVATE LINKER:--version-script=${exports})
set_target_properties(slipway_openvino PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS ${exports}
                                                  INSTALL_RPATH "$ORIGIN;$ORIGIN/openvino;$ORIGIN/../../openvino/libs")

include(GNUInstallDirs)
install(
  DIRECTORY ${SLIPWAY_OPENVINO}/libs/
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/openvino
  PATTERN libopenvino_c.so* EXCLUDE)

if(SLIPWAY_SANITIZE AND TARGET openvino_shim_test)
  # It has no OpenVINO: of the layer it takes the objects that don't call it. lld takes others, too.
  target_link_options(openvino_shim_test PRIVATE -fuse-ld=bfd)
endif()
