// Where the time of a run goes (LoadOptions::on_profile of slipway/module.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace slipway {

// An instruction of a method, at its place among MethodInfo::instructions (slipway/inspect.h).
struct ProfiledInstruction {
  std::string name;    // "aten::add.out", "engine 0 of XBackend"
  std::string origin;  // "relu: File "m.py", line 3, in forward"; empty where that is not known
};

// A part of an engine, as its library tells it, which may be a mean of all runs.
struct ProfiledLayer {
  std::string name;
  std::string kind;  // what the library ran for it; may be empty
  std::chrono::nanoseconds duration{0};
};

// A call of a kernel or of an engine. A loop calls an instruction again.
struct ProfiledCall {
  size_t instruction = 0;
  std::chrono::nanoseconds start{0};  // since the run began
  std::chrono::nanoseconds duration{0};
  // In the order in which they ran, where the engine tells: together no longer than the call, or
  // all are shortened alike. The rest is what the engine does besides: inputs, outputs, waiting.
  std::vector<ProfiledLayer> layers;
};

// Before the first call inputs are checked and bound, after the last one outputs are made ready,
// and between calls are moves and jumps.
struct RunProfile {
  std::string method;
  std::chrono::nanoseconds duration{0};  // of the run
  std::shared_ptr<const std::vector<ProfiledInstruction>> instructions;
  std::vector<ProfiledCall> calls;  // in the order in which they were made
};

}  // namespace slipway
