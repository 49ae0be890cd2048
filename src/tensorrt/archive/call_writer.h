// Puts calls of engines into a program as Torch-TensorRT does, for an exported program.
#pragma once

#include <span>
#include <string>

#include "engine/record.h"
#include "engine_build/compiler.h"
#include "ir/program.h"
#include "slipway/result.h"
#include "tensorrt/archive/call_nodes.h"
#include "tensorrt/archive/serialized_engine.h"

namespace slipway::tensorrt {

struct CallForm {
  std::string abi = std::string(kNewestAbi);  // of Torch-TensorRT
  // For another machine: the placeholder, with the plan as a buffer. Else execute_engine, with the
  // engine as a custom object.
  bool is_placeholder = false;
  std::string platform = std::string(kPlatform);  // where it is to run
};

// A call of Torch-TensorRT's takes the place of each ir::kCallEngine, which calls one of `engines`
// by index, and those that the program has already get this form. The program is functional, and
// may be written as an archive afterwards.
//
// Engines are named "_run_on_acc_<i>_engine", and buffers "_trt_engine_<i>", one for equal plans. A
// tensor that an engine writes to, and that is not the state that it becomes, is copied before.
// Plans are read where they lie; in an object's record, which is made as it is written, they are
// Base64. Errors name the node.
Result<engine_build::ArchiveCalls> put_engines(ir::Program& program,
                                               std::span<const engine::Engine> engines,
                                               const CallForm& form);

}  // namespace slipway::tensorrt
