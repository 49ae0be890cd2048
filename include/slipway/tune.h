// Tuning of compiled programs where they run: among the ways to compute a product that a file has
// (option 'cuda_candidates' of the compile), the fastest on the GPU at hand.
//
//   auto tuned = slipway::tune("model.pte", "model.pte");
//   if (!tuned.ok()) { std::cerr << tuned.error().message() << "\n"; return 1; }
//
// Threads: several files may be tuned one behind the other, in any thread; two at once would
// disturb each other's times, and wait for each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "slipway/export.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway {

struct TuneOptions {
  // The methods that are run; empty: all.
  std::vector<std::string> methods = {};
  // What a method is run on. Null: random tensors, and integers, of the sizes below, and no other
  // values.
  std::function<Result<std::vector<Value>>(const Method&)> inputs = nullptr;
  // As for Method::example_sizes().
  std::map<std::string, int64_t> sizes = {};
  // As in LoadOptions.
  std::string device = {};
  std::function<void(const std::string&)> on_warning = nullptr;
  // Called with how many of an engine's choices were tried, and how many it has.
  std::function<void(size_t done, size_t total)> on_progress = nullptr;
};

// What was found for products that equal kernels compute.
struct TunedChoice {
  std::string origin;         // the node that the first of them begins with
  std::string plan;           // how they are computed now
  uint32_t launches = 0;      // of kernels, in each call
  uint32_t alternative = 0;   // the plan as a number: 0 is what the compiler reckons to be fastest
  uint32_t alternatives = 0;  // there are so many
  // Of a call of the whole engine, in milliseconds: with the plan before, and with this one.
  double before = 0;
  double after = 0;
};

struct TunedEngine {
  std::string method;
  uint32_t engine = 0;  // of the method, as inspect numbers them
  std::string device;   // what it was tuned on
  // Of its calls, all choices together, in milliseconds on the device; medians.
  double before = 0;
  double after = 0;
  std::vector<TunedChoice> choices;
};

// Runs each method once; its engines then repeat their work, as CUDA graphs, with each alternative
// of each choice in turn, and keep what is faster by more than the noise of these times. The file
// with the choices is written to `output`, which may be `path`, and appears as a whole or not at
// all; the rest of it stays as it is. Engines are listed as methods have them; one that several
// have, once. Errors: kUnsupported for a file that is no .pte with a manifest, or has no choices;
// kUnavailable without a GPU; those of Module and Method; kIo.
SLIPWAY_API Result<std::vector<TunedEngine>> tune(const std::string& path,
                                                  const std::string& output,
                                                  const TuneOptions& options = {});

}  // namespace slipway
