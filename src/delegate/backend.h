// What the delegates of all engines share: a backend of ExecuTorch that makes engines of bytes,
// runs them and tells what it runs them with.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/event_tracer.h>

namespace slipway::delegate {

// One engine in memory; belongs to one thread at a time.
class Engine {
 public:
  Engine() = default;
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Runs on the inputs, then the outputs (delegate/arguments.h). What fails is logged with
  // ExecuTorch's log. `tracer` is null but where runs are profiled: an engine that knows tells it
  // how long each layer took, in order, by tell_layer().
  virtual executorch::runtime::Error run(
      executorch::runtime::Span<executorch::runtime::EValue*> arguments,
      executorch::runtime::EventTracer* tracer) = 0;
};

// `kind` says what ran.
void tell_layer(executorch::runtime::EventTracer& tracer, const std::string& name,
                const std::string& kind, std::chrono::nanoseconds duration);

// Several threads may load engines at once. An exception becomes an error.
class Backend : public executorch::runtime::BackendInterface {
 public:
  // `title` begins what is logged, and is not copied: "engine of X".
  explicit Backend(const char* title) : title_(title) {}

  bool is_available() const override { return true; }
  executorch::runtime::Result<executorch::runtime::DelegateHandle*> init(
      executorch::runtime::BackendInitContext& context,
      executorch::runtime::FreeableBuffer* processed,
      executorch::runtime::ArrayRef<executorch::runtime::CompileSpec> specs) const override;
  executorch::runtime::Error execute(
      executorch::runtime::BackendExecutionContext& context,
      executorch::runtime::DelegateHandle* handle,
      executorch::runtime::Span<executorch::runtime::EValue*> arguments) const override;
  executorch::runtime::Error get_option(
      executorch::runtime::BackendOptionContext& context,
      executorch::runtime::Span<executorch::runtime::BackendOption>& options) override;
  void destroy(executorch::runtime::DelegateHandle* handle) const override;

 protected:
  // The engine of `processed`, which outlives it unless it takes it over. What fails is logged.
  virtual executorch::runtime::Result<std::unique_ptr<Engine>> load(
      executorch::runtime::BackendInitContext& context,
      executorch::runtime::FreeableBuffer& processed,
      executorch::runtime::ArrayRef<executorch::runtime::CompileSpec> specs) const = 0;

  // What it tells under "library_version" and "capabilities", with which every load compares what
  // an engine was built by, and under names of its own; nothing under others. A text that is too
  // long for ExecuTorch is not told.
  using Setting = std::variant<int, std::string>;
  virtual std::optional<Setting> setting(std::string_view key) const = 0;

  const char* title() const { return title_; }

 private:
  const char* title_;
};

}  // namespace slipway::delegate
