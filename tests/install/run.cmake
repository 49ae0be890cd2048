# Installs the build, builds the programs beside this file against it, moves everything, and runs them there.
# usage: cmake -DBUILD=<build folder> -DARCHIVE=<model.pt2> -DEXPECTED=<output> -DWORK=<scratch folder> -DEXECUTORCH=<its folder>
#              -P run.cmake
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY OUTPUT_VARIABLE output)
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/installed --strip)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -G Ninja -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_PREFIX_PATH=${WORK}/installed -DCMAKE_INSTALL_PREFIX=${WORK}/installed)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${CMAKE_COMMAND} --install ${WORK}/build)
file(REMOVE_RECURSE ${WORK}/build)

# A program that only runs models is built without what the compiler needs, and asking for more is refused. Debian's CMake does it,
# where it is there: users have it.
find_program(users_cmake cmake PATHS /usr/bin NO_DEFAULT_PATH)
if(NOT users_cmake)
  set(users_cmake ${CMAKE_COMMAND})
endif()
set(without -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON -DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON)
set(configure ${users_cmake} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -G Ninja -DCMAKE_BUILD_TYPE=Release
              -DCMAKE_PREFIX_PATH=${WORK}/installed ${without})
execute_process(COMMAND ${configure} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE message)
if(code EQUAL 0 OR NOT message MATCHES "libssl-dev")
  message(FATAL_ERROR "without OpenSSL the compile component gave ${code}: ${text}${message}")
endif()
foreach(mistake "-DCOMPONENT=runtimes" "-DLIBRARY=slipway::compile")
  execute_process(COMMAND ${configure} -DRUNTIME_ONLY=ON ${mistake} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE message)
  if(code EQUAL 0 OR NOT message MATCHES "there is no component 'runtimes'|the target was not found")
    message(FATAL_ERROR "${mistake} gave ${code}: ${text}${message}")
  endif()
  file(REMOVE_RECURSE ${WORK}/build)
endforeach()
run(${configure} -DRUNTIME_ONLY=ON)
run(${CMAKE_COMMAND} --build ${WORK}/build)
# As a user moves it: the program as the build left it, with the libraries beside it in lib/.
file(MAKE_DIRECTORY ${WORK}/app)
file(COPY ${WORK}/build/run_zeros DESTINATION ${WORK}/app)
file(COPY ${WORK}/installed/lib DESTINATION ${WORK}/app)
file(REMOVE_RECURSE ${WORK}/build)

# A program of ExecuTorch's own runtime gets the delegate by linking with it, and one ExecuTorch.
run(${users_cmake} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -G Ninja -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_PREFIX_PATH=${WORK}/installed -DEXECUTORCH=${EXECUTORCH} ${without})
run(${CMAKE_COMMAND} --build ${WORK}/build)
execute_process(COMMAND ${WORK}/build/stock_runtime OUTPUT_VARIABLE output ERROR_VARIABLE log COMMAND_ERROR_IS_FATAL ANY)
if(NOT output STREQUAL "Error::InvalidProgram\n" OR NOT log MATCHES "its blob can't be read" OR log MATCHES "second ExecuTorch")
  message(FATAL_ERROR "stock_runtime printed '${output}' and logged '${log}'")
endif()
file(REMOVE_RECURSE ${WORK}/build)

# The licences of what is installed are installed, too.
foreach(name LICENSE licenses/executorch/LICENSE licenses/openvino/LICENSE)
  if(NOT EXISTS ${WORK}/installed/share/doc/slipway/${name})
    message(FATAL_ERROR "${name} is not installed")
  endif()
endforeach()
# So are the delegates, and none of the libraries that tests have in place of others.
file(GLOB stand_ins ${WORK}/installed/lib/*stand_in*)
if(stand_ins OR NOT EXISTS ${WORK}/installed/lib/libslipway_tensorrt.so)
  message(FATAL_ERROR "libslipway_tensorrt.so is not installed, or stand-ins are: ${stand_ins}")
endif()
file(RENAME ${WORK}/installed ${WORK}/moved)

set(bin ${WORK}/moved/bin)
run(${bin}/compile_archive ${ARCHIVE} ${WORK}/model.pte)
if(NOT output MATCHES "^forward: [1-9][0-9]* nodes on engines\n$")
  message(FATAL_ERROR "compile_archive printed '${output}'")
endif()
run(${bin}/run_zeros ${WORK}/model.pte)
if(NOT output STREQUAL "${EXPECTED}\n")
  message(FATAL_ERROR "run_zeros printed '${output}' where '${EXPECTED}' was expected")
endif()
run(${WORK}/app/run_zeros ${WORK}/model.pte)
if(NOT output STREQUAL "${EXPECTED}\n")
  message(FATAL_ERROR "the moved run_zeros printed '${output}' where '${EXPECTED}' was expected")
endif()
file(REMOVE_RECURSE ${WORK}/app)
run(${bin}/slipway verify ${WORK}/model.pte)
run(${bin}/slipway run --isolate --random-inputs 1 ${WORK}/model.pte)

# Engines are built by the helper, wherever it was moved to, and without it in the process that compiles.
run(${bin}/slipway doctor)
set(helper ${WORK}/moved/libexec/slipway/slipway-build-engine)
string(FIND "${output}" "engines are built by ${helper}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "doctor does not find ${helper}:\n${output}")
endif()
foreach(is_there TRUE FALSE)
  if(NOT is_there)
    file(RENAME ${helper} ${helper}.away)
  endif()
  execute_process(COMMAND ${bin}/slipway compile --no-cache ${ARCHIVE} -o ${WORK}/again.pte ERROR_VARIABLE warnings
                  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  string(FIND "${warnings}" "engines are built in this process" found)
  if((is_there AND NOT found EQUAL -1) OR (NOT is_there AND found EQUAL -1))
    message(FATAL_ERROR "with a helper: ${is_there}; compile said: '${warnings}'")
  endif()
endforeach()
file(RENAME ${helper}.away ${helper})

# With OpenVINO's libraries gone, a file with an engine says what to install, and one without still runs.
run(${bin}/slipway inspect ${WORK}/model.pte)
if(NOT output MATCHES "OpenvinoBackend")
  message(FATAL_ERROR "the file has no engine of OpenVINO:\n${output}")
endif()
run(${bin}/slipway compile --engine none ${ARCHIVE} -o ${WORK}/kernels.pte)
file(RENAME ${WORK}/moved/lib/openvino ${WORK}/moved/elsewhere)
execute_process(COMMAND ${bin}/run_zeros ${WORK}/model.pte RESULT_VARIABLE code ERROR_VARIABLE message)
if(code EQUAL 0 OR NOT message MATCHES "openvino==2026.4.1")
  message(FATAL_ERROR "without OpenVINO run_zeros gave ${code}: ${message}")
endif()
execute_process(COMMAND ${bin}/slipway compile --no-cache ${ARCHIVE} -o ${WORK}/again.pte RESULT_VARIABLE code
                ERROR_VARIABLE message)
if(code EQUAL 0 OR NOT message MATCHES "openvino==2026.4.1")
  message(FATAL_ERROR "without OpenVINO compile gave ${code}: ${message}")
endif()
run(${bin}/run_zeros ${WORK}/kernels.pte)
run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${WORK}/moved/elsewhere ${bin}/run_zeros ${WORK}/model.pte)

# A deployed program needs ExecuTorch's libraries, the C++ runtime and the dynamic loader, and nothing else.
run(readelf -d ${bin}/run_zeros)
string(REGEX MATCHALL "\\(NEEDED\\)[^\n]*" needed "${output}")
list(FILTER needed EXCLUDE REGEX "(lib(executorch|executorch_[a-z_]+|stdc\\+\\+|m|gcc_s|c)|ld-linux-[a-z0-9_-]+)\\.so")
if(needed)
  message(FATAL_ERROR "run_zeros needs more than ExecuTorch: ${needed}")
endif()
file(REMOVE_RECURSE ${WORK})
