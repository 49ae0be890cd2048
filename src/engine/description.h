// What whoever reads or runs a file knows of an engine: one object for each kind, defined in the
// engine's own folder (<engine>/format) and listed in engine_list/list.inc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/record.h"
#include "slipway/module.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway::engine {

// A tensor that a call of a delegate gives to it, or gets, as its blob says.
struct BlobEnd {
  uint32_t argument = 0;  // its place among the call's arguments
  bool is_output = false;
  DType dtype = DType::kFloat32;
  std::vector<uint64_t> sizes;  // in the order of memory
};

// What a blob takes from the file that it is in.
struct BlobSurroundings {
  // How many bytes there are under a name, or nullopt.
  std::function<std::optional<uint64_t>(std::string_view)> named_size;
  // An error where so many steps more are too many.
  std::function<Status(uint64_t)> count_steps;
};

inline constexpr const char* kProgramOption = "program";
inline constexpr const char* kFinishOption = "finish_program";
// A load option beside kProgramOption, true or false: what is in the program has been compared with
// the checksums of its manifest.
inline constexpr const char* kCheckedOption = "checksums_match";

// An option that a delegate tells, an int: the index of the CUDA device that all engines of
// kProgramOption run on. Not told where there are several.
inline constexpr const char* kCudaDeviceOption = "cuda_device";

// What the header before an engine's bytes says.
struct BlobSummary {
  std::vector<std::string> lines;  // for people
  std::vector<std::string> ends;   // likewise, of inputs and outputs, which a manifest has too
  std::string json;                // all of it
};

// Bytes of a blob that become others.
struct BlobChange {
  uint64_t offset = 0;
  std::vector<std::byte> bytes;
};

// Of an engine that may have several ways to compute a part, what was the fastest on a device.
struct Choices {
  std::vector<uint8_t> alternatives;  // of each choice
  std::string device;
  // What a library has found for steps, by their numbers.
  std::map<uint32_t, std::string> plans;
};

// Delegates are given a blob: the header, if the engine has one, and the engine's bytes.
//
// Functions that are null stand for what the comment says; all may be called by any thread.
struct Description {
  const char* name;     // what users call the engine, in lower case
  const char* title;    // what its makers call it
  const char* backend;  // as files name its delegate
  // The shared library that registers the delegate, opened when a file first names it; null where
  // this version has none.
  const char* library = nullptr;
  const char* remedy = "";  // what to do where it is missing

  // Of the options of Module::load, those that the delegate takes, by its own names. Null: none.
  using Setting = std::pair<const char*, std::variant<int, std::string, bool>>;
  std::vector<Setting> (*load_settings)(const LoadOptions& options) = nullptr;

  // The load option by which the delegate is told how many bytes of an engine's weights stay on its
  // device, and by which it tells how many do, of all engines together. Such a delegate plans the
  // engines of a method together: each is given kProgramOption, a text of the method's own, and
  // once all are loaded, set_option() gets it with kFinishOption: only then they run. Null: it has
  // none.
  const char* weight_budget = nullptr;

  // Whether tensors of a call may be in the memory of the CUDA device that the engine runs on. The
  // delegate takes kProgramOption, tells that device under kCudaDeviceOption, and its library has
  //   extern "C" executorch::runtime::DeviceAllocator* slipway_cuda_allocator();
  bool takes_cuda_memory = false;
  // Whether such an engine leaves the wait for its work to a caller that wants that (QueuedRun).
  bool leaves_work = false;
  // Of such an engine the index of that device, where a file is to plan memory there; nothing where
  // the record has none. Null where takes_cuda_memory is false.
  std::optional<int8_t> (*cuda_device)(const EngineRecord& record) = nullptr;

  // For a delegate that trusts its blob: what the blob's calls give and get, or why it is refused.
  // Null: the delegate checks it itself.
  Result<std::vector<BlobEnd>> (*check_blob)(std::span<const std::byte> blob,
                                             const BlobSurroundings& surroundings) = nullptr;

  // The header of an engine whose record is complete; a multiple of kEngineHeaderAlignment. Null:
  // there is none.
  Result<std::vector<std::byte>> (*header)(const EngineRecord& record) = nullptr;
  // The engine's bytes of a blob, none where it is external. Null: all of it.
  Result<std::span<const std::byte>> (*engine_of)(std::span<const std::byte> blob) = nullptr;
  // For a delegate that also finds an engine which is named data outside of the program, and
  // compares its digest with that of the header before it uses it. What stands in place of the
  // blob's header then, and is the whole blob; and the key that a blob has, empty where the engine
  // is in it. Null: every engine is in its blob.
  Result<std::vector<std::byte>> (*external_header)(std::span<const std::byte> header,
                                                    const std::string& key) = nullptr;
  Result<std::string> (*external_key)(std::span<const std::byte> blob) = nullptr;
  // What the header of a blob says. Null: nothing.
  Result<BlobSummary> (*summarize)(std::span<const std::byte> blob) = nullptr;

  // Of engines that may have several ways to compute a part: how many such choices a blob has, and
  // the changes that make it use these. Such a delegate's library tells what is fastest
  // (engine/tuner.h). Null: there are no choices.
  Result<size_t> (*count_choices)(std::span<const std::byte> blob) = nullptr;
  Result<std::vector<BlobChange>> (*choose)(std::span<const std::byte> blob,
                                            const Choices& made) = nullptr;
  const char* choices_remedy = "";  // what to do where a blob has none

  // Whether a file that begins so is a bare engine of this kind, as `slipway compile -o x.engine`
  // and the library's own tools write it. Null: there are none.
  bool (*is_bare_engine)(std::span<const std::byte> bytes) = nullptr;
  const char* bare_engine = "";        // what such a file is called
  const char* bare_engine_tools = "";  // what runs it
};

}  // namespace slipway::engine
