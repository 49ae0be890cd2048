// What a Module says to the process that works for it, and hears: numbers and texts one after the
// other, and values whose tensors lie in shared memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/shared_memory.h"
#include "slipway/module.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway::runtime {

// Asked, and then the answers. Each has what Writer put for it, in this order:
enum MessageKind : uint32_t {
  kOpen,  // version, file's name, trust, time and memory limits, threads, hint, device, budgets of
          // weights, what is shared, same versions; and the file, and its data file
  kPrepare,     // method
  kRun,         // method, inputs; and memory for these, where it is new
  kState,       // method
  kResetState,  // method
  kBudget,      // method, budgets of weights
  kDone,     // of kRun: outputs; of kState: the buffers and their names; and memory, likewise; of
             // kBudget: what is in force
  kFailure,  // code, message
  kWarning,  // message; any number of them come before an answer
};

constexpr uint64_t kMostMessage = uint64_t{1} << 30;
// Of a tensor in shared memory.
constexpr uint64_t kTensorAlignment = 64;

class MessageWriter {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text) {
    number<uint64_t>(text.size());
    bytes_.append(text);
  }
  void choice(std::optional<bool> value) { number<int8_t>(value ? *value : -1); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) : rest_(bytes) {}

  // Each gives something default where the message is at its end, and is not ok() from then on.
  template <class T>
  T number() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const std::string_view bytes = take(sizeof value);
    if (ok_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(number<uint64_t>()); }
  std::optional<bool> choice() {
    const auto value = number<int8_t>();
    return value < 0 ? std::nullopt : std::optional(value != 0);
  }
  bool ok() const { return ok_; }

 private:
  std::string_view take(uint64_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

// The budgets of weights among the options.
void write_budgets(MessageWriter& message, const LoadOptions& options);
void read_budgets(MessageReader& message, LoadOptions& options);

// How much shared memory the tensors among the values take; not 0, so that each lies somewhere.
Result<uint64_t> shared_size(std::span<const Value> values);

// Copies the tensors into memory of at least that size, and writes the values.
void write_values(MessageWriter& message, std::span<const Value> values,
                  std::span<std::byte> memory);

// The values, whose tensors lie in the memory and keep it. An error where the message is no such.
Result<std::vector<Value>> read_values(MessageReader& message,
                                       const std::shared_ptr<SharedMemory>& memory);

}  // namespace slipway::runtime
