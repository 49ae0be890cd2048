# The two libraries of `find_package(slipway)`, each one archive of its layers' objects; ExecuTorch's shared libraries lie beside
# them, found by run paths relative to the program. So do the libraries of engines, libslipway_<engine>.so.

include(GNUInstallDirs)

foreach(library runtime compile)
  if(NOT SLIPWAY_LAYERS_OF_${library})
    return()
  endif()
  set(objects)
  foreach(layer IN LISTS SLIPWAY_LAYERS_OF_${library})
    list(APPEND objects $<TARGET_OBJECTS:${layer}>)
  endforeach()
  if(library STREQUAL runtime)
    list(APPEND objects $<TARGET_OBJECTS:slipway_fmt>)
  endif()
  set(SLIPWAY_OBJECTS_OF_${library} ${objects})
  add_library(slipway_${library}_library STATIC ${objects})
  set_target_properties(slipway_${library}_library PROPERTIES OUTPUT_NAME slipway_${library}
                                                              LINKER_LANGUAGE CXX)
  install(TARGETS slipway_${library}_library DESTINATION ${CMAKE_INSTALL_LIBDIR})
endforeach()

if(TARGET slipway)
  install(TARGETS slipway DESTINATION ${CMAKE_INSTALL_BINDIR})
  set_target_properties(slipway PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
endif()
# What the tool prints of itself: completion for shells, and the manual.
if(TARGET slipway)
  set(prints "bash-completion/completions/slipway=completion bash" "zsh/site-functions/_slipway=completion zsh"
             "fish/vendor_completions.d/slipway.fish=completion fish" "man/man1/slipway.1=manual")
  foreach(print IN LISTS prints)
    string(REGEX MATCH "(.*)=(.*)" print "${print}")
    set(file "${CMAKE_INSTALL_DATADIR}/${CMAKE_MATCH_1}")
    install(CODE "
      execute_process(COMMAND ${CMAKE_CROSSCOMPILING_EMULATOR} $<TARGET_FILE:slipway> ${CMAKE_MATCH_2} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
      file(WRITE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${file}\" \"\${text}\")")
  endforeach()
endif()
foreach(program slipway-build-engine slipway-worker)
  install(TARGETS ${program} DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/slipway)
  set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../../${CMAKE_INSTALL_LIBDIR}")
endforeach()
install(DIRECTORY include/slipway DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
list(TRANSFORM SLIPWAY_EXECUTORCH_LIBRARIES REPLACE "(.+)" "${SLIPWAY_EXECUTORCH}/lib/lib\\1.so"
     OUTPUT_VARIABLE shared_libraries)
# The last runs engines of XNNPACK, and is opened when the first one is loaded.
list(APPEND shared_libraries ${SLIPWAY_EXECUTORCH}/lib/libexecutorch_backend_xnnpack.so)
install(FILES ${shared_libraries} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ${SLIPWAY_ENGINE_LIBRARIES} DESTINATION ${CMAKE_INSTALL_LIBDIR})

# The licences of all that is installed: of the libraries beside ours as their wheels have them, and of those linked into ours as
# Debian has them.
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${SLIPWAY_EXECUTORCH}/licenses/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/licenses/executorch)
install(DIRECTORY ${SLIPWAY_OPENVINO}/licenses/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/licenses/openvino)
foreach(package libfmt-dev libxxhash-dev libdeflate-dev libssl-dev libprotobuf-dev nlohmann-json3-dev libcli11-dev
                libflatbuffers-dev libjpeg62-turbo-dev libpng-dev zlib1g-dev)
  if(EXISTS ${CMAKE_SYSROOT}/usr/share/doc/${package}/copyright)
    install(FILES ${CMAKE_SYSROOT}/usr/share/doc/${package}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}/licenses
            RENAME ${package}.copyright)
  endif()
endforeach()

include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/slipway)
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/slipway-config.cmake.in ${PROJECT_BINARY_DIR}/slipway-config.cmake
  INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/slipway-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/slipway-config.cmake ${CMAKE_CURRENT_LIST_DIR}/run_path.txt
              ${PROJECT_BINARY_DIR}/slipway-config-version.cmake DESTINATION ${package})

# With sanitizers every program that links the libraries needs their flags, so there is no such build to test.
if(TARGET slipway AND TARGET tests AND NOT SLIPWAY_SANITIZE)
  add_test(NAME install_test
           COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR}
                   -DARCHIVE=${PROJECT_SOURCE_DIR}/examples/models/crepe_tiny.pt2
                   "-DEXPECTED=float32[1, 360]" -DWORK=${PROJECT_BINARY_DIR}/install_test -DEXECUTORCH=${SLIPWAY_EXECUTORCH}
                   -DRUN_MODEL=$<TARGET_FILE:run_model_library> -P ${PROJECT_SOURCE_DIR}/tests/install/run.cmake)
endif()
