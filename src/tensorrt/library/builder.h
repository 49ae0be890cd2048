// Building engines: TensorRT's builder, its configuration, networks and optimization profiles.
//
// Not thread-safe, but each Builder, with what it made, may be used by a thread of its own. Parts
// may outlive the Builder that made them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/piece_writer.h"
#include "slipway/result.h"
#include "tensorrt/library/library.h"
#include "tensorrt/library/session.h"

namespace slipway::tensorrt {

// The numbers of flags differ by family; flag_number() knows them.
enum class BuilderFlag : uint8_t {
  kRefit,
  kTf32,  // on unless cleared: float32 products of matrices in 19 bits
  kVersionCompatible,
  kStripPlan,
  kRefitIdentical,
  kWeightStreaming,
  kRefitIndividual,
};
int32_t flag_number(Family family, BuilderFlag flag);
// The flag of a network that is computed in the types that it has.
uint32_t strongly_typed(Family family);

enum class HardwareCompatibility : int32_t { kNone, kAmperePlus, kSameComputeCapability };

struct TensorInfo {
  std::string name;
  DataType type;
  std::vector<int64_t> shape;  // -1: not known before the run
  bool is_shape_tensor;        // its values decide about shapes: a profile needs them
};

class Network : public Part {
 public:
  int layer_count() const;
  std::vector<TensorInfo> inputs() const;
  std::vector<TensorInfo> outputs() const;
  // Part of the engine. TensorRT would number the networks of a process; make_network() names all
  // alike, so that equal ones give equal bytes.
  void set_name(const std::string& name);

 private:
  friend class Builder;
  friend class Parser;
  using Part::Part;
};

// The range of one set of inputs that an engine is made and tuned for. TensorRT owns it.
class OptimizationProfile {
 public:
  // All three of the input's rank. kInvalidArgument with TensorRT's message where it refuses them.
  Status set_shapes(const std::string& input, std::span<const int64_t> min,
                    std::span<const int64_t> opt, std::span<const int64_t> max);
  // Of a shape tensor, whose number of elements all three have.
  Status set_values(const std::string& input, std::span<const int64_t> min,
                    std::span<const int64_t> opt, std::span<const int64_t> max);

 private:
  friend class Builder;
  friend class BuilderConfig;
  OptimizationProfile(SessionPointer session, Object* object)
      : session_(std::move(session)), object_(object) {}
  SessionPointer session_;
  Object* object_;
};

class BuilderConfig : public Part {
 public:
  void set_flag(BuilderFlag flag);
  void clear_flag(BuilderFlag flag);
  bool flag(BuilderFlag flag) const;
  void set_workspace_limit(uint64_t bytes);
  uint64_t workspace_limit() const;
  // 0 to 5; kInvalidArgument elsewhere.
  Status set_optimization_level(int level);
  int optimization_level() const;
  void set_hardware_compatibility(HardwareCompatibility level);
  // The engine's GPUs, such as {80, 86} for sm_80 and sm_86. Only TensorRT-RTX builds for others
  // than this machine's: kUnsupported from the rest.
  Status set_compute_capabilities(std::span<const int> capabilities);
  // The engine runs on Windows on x86-64. kUnsupported from a library that builds for its own
  // system alone.
  Status set_for_windows();
  Status add_profile(const OptimizationProfile& profile);

 private:
  friend class Builder;
  using Part::Part;
};

class Builder {
 public:
  // kUnavailable with TensorRT's message where this machine lacks what the library needs to build,
  // such as a GPU.
  static Result<Builder> create(LibraryPointer library);

  // A strongly typed one: computed in the types that the model has.
  Result<Network> make_network() const;
  Result<BuilderConfig> make_config() const;
  Result<OptimizationProfile> make_profile() const;
  // 1 or more; TensorRT decides where it isn't called.
  Status set_max_threads(int count);

  // Streams the engine to `sink`, in order and in chunks of at most 64 MiB. The sink's own error is
  // passed on, and ends the writing. Where TensorRT refuses, the error holds its first message.
  // What the parser of the network was given must still be there. TensorRT 10 can from 10.13 on.
  Status build(const Network& network, const BuilderConfig& config, const ByteSink& sink) const;

  const Library& library() const { return *session_->library; }
  // TensorRT's messages of the last step of this builder and its parts.
  std::vector<Message> messages() const { return session_->log->messages(); }

 private:
  explicit Builder(SessionPointer session) : session_(std::move(session)) {}

  SessionPointer session_;
};

}  // namespace slipway::tensorrt
