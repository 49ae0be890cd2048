// Programs for tests, put together table by table, so that a test can put in what no exporter
// would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flatbuffers/flatbuffers.h>

#include "pte/format/layout.h"
#include "pte/format/program_generated.h"
#include "pte/reader/reader.h"

namespace slipway::pte {

namespace fb = executorch_flatbuffer;

struct TestTensor {
  int scalar_type = 6;
  std::vector<int32_t> sizes = {2, 3};
  std::optional<std::vector<uint8_t>> dim_order = std::nullopt;  // contiguous unless given
  uint32_t data = 0;
  std::optional<uint64_t> planned_at = std::nullopt;
  uint32_t memory_id = 1;
  int32_t storage_offset = 0;
  int dynamism = 0;
  bool external = false;
  int device = 0;
  uint64_t mutable_segment = 0;
  const char* name = "weight";
};

// One method, "forward", and the program around it.
class TestProgram {
 public:
  int32_t none() { return add(fb::KernelTypes::Null, fb::CreateNull(builder_).Union()); }
  int32_t number(int64_t value) {
    return add(fb::KernelTypes::Int, fb::CreateInt(builder_, value).Union());
  }
  int32_t number(double value) {
    return add(fb::KernelTypes::Double, fb::CreateDouble(builder_, value).Union());
  }
  int32_t flag(bool value) {
    return add(fb::KernelTypes::Bool, fb::CreateBool(builder_, value).Union());
  }
  int32_t text(const char* value) {
    return add(fb::KernelTypes::String, fb::CreateStringDirect(builder_, value).Union());
  }
  int32_t ints(const std::vector<int64_t>& items) {
    return add(fb::KernelTypes::IntList, fb::CreateIntListDirect(builder_, &items).Union());
  }
  int32_t doubles(const std::vector<double>& items) {
    return add(fb::KernelTypes::DoubleList, fb::CreateDoubleListDirect(builder_, &items).Union());
  }
  int32_t flags(const std::vector<uint8_t>& items) {
    return add(fb::KernelTypes::BoolList, fb::CreateBoolListDirect(builder_, &items).Union());
  }
  int32_t tensors(const std::vector<int32_t>& items) {
    return add(fb::KernelTypes::TensorList, fb::CreateTensorListDirect(builder_, &items).Union());
  }
  int32_t optional_tensors(const std::vector<int32_t>& items) {
    return add(fb::KernelTypes::OptionalTensorList,
               fb::CreateOptionalTensorListDirect(builder_, &items).Union());
  }
  int32_t tensor(const TestTensor& spec) {
    std::vector<uint8_t> order(spec.sizes.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint8_t>(i);
    if (spec.dim_order) order = *spec.dim_order;
    flatbuffers::Offset<fb::AllocationDetails> allocation;
    if (spec.planned_at) {
      allocation = fb::CreateAllocationDetails(builder_, spec.memory_id,
                                               static_cast<uint32_t>(*spec.planned_at),
                                               static_cast<uint32_t>(*spec.planned_at >> 32));
    }
    const auto extra = fb::CreateExtraTensorInfoDirect(
        builder_, spec.mutable_segment, spec.name,
        spec.external ? fb::TensorDataLocation::EXTERNAL : fb::TensorDataLocation::SEGMENT,
        static_cast<fb::DeviceType>(spec.device));
    return add(fb::KernelTypes::Tensor,
               fb::CreateTensorDirect(builder_, static_cast<fb::ScalarType>(spec.scalar_type),
                                      spec.storage_offset, &spec.sizes, &order, false, spec.data,
                                      allocation, 0,
                                      static_cast<fb::TensorShapeDynamism>(spec.dynamism), extra)
                   .Union());
  }
  // A value of any type without content.
  int32_t empty(fb::KernelTypes type) { return add(type, 0); }

  void kernel(const char* name, const char* overload, const std::vector<int32_t>& args) {
    const auto index = static_cast<int32_t>(operators_.size());
    operators_.push_back(fb::CreateOperatorDirect(builder_, name, overload));
    kernel(index, args);
  }
  void kernel(int32_t op, const std::vector<int32_t>& args) {
    add(fb::InstructionArguments::KernelCall,
        fb::CreateKernelCallDirect(builder_, op, &args).Union());
  }
  void call_delegate(int32_t delegate, const std::vector<int32_t>& args) {
    add(fb::InstructionArguments::DelegateCall,
        fb::CreateDelegateCallDirect(builder_, delegate, &args).Union());
  }
  void jump_false(int32_t condition, int32_t destination) {
    add(fb::InstructionArguments::JumpFalseCall,
        fb::CreateJumpFalseCall(builder_, condition, destination).Union());
  }
  void move(int32_t from, int32_t to) {
    add(fb::InstructionArguments::MoveCall, fb::CreateMoveCall(builder_, from, to).Union());
  }
  void release(int32_t value) {
    add(fb::InstructionArguments::FreeCall, fb::CreateFreeCall(builder_, value).Union());
  }
  void delegate(const char* backend, fb::DataLocation location, uint32_t index,
                bool with_specs = true) {
    const std::vector<flatbuffers::Offset<fb::CompileSpec>> specs;
    delegates_.push_back(fb::CreateBackendDelegateDirect(
        builder_, backend, fb::CreateBackendDelegateDataReference(builder_, location, index),
        with_specs ? &specs : nullptr));
  }

  // What is given to a delegate of DataLocation::INLINE; the index.
  uint32_t inline_engine(const std::vector<uint8_t>& bytes) {
    builder_.ForceVectorAlignment(bytes.size(), 1, 16);
    inline_engines_.push_back(
        fb::CreateBackendDelegateInlineData(builder_, builder_.CreateVector(bytes)));
    return static_cast<uint32_t>(inline_engines_.size() - 1);
  }
  // A segment's bytes; the index. Placed one after the other unless offsets are given.
  uint32_t segment(std::string bytes) {
    segments_.push_back(std::move(bytes));
    return static_cast<uint32_t>(segments_.size() - 1);
  }
  void named(const char* key, uint32_t segment_index) {
    named_.push_back(fb::CreateNamedDataDirect(builder_, key, segment_index));
  }
  // Entry 0 is the placeholder.
  void constants(uint32_t segment_index, const std::vector<uint64_t>& offsets) {
    constants_ = fb::CreateSubsegmentOffsetsDirect(builder_, segment_index, &offsets);
  }
  void initial_values(uint32_t segment_index, const std::vector<uint64_t>& offsets) {
    mutable_.push_back(fb::CreateSubsegmentOffsetsDirect(builder_, segment_index, &offsets));
  }
  void inline_constant(const std::vector<uint8_t>& bytes) {
    builder_.ForceVectorAlignment(bytes.size(), 1, 16);
    inline_constants_.push_back(fb::CreateBuffer(builder_, builder_.CreateVector(bytes)));
  }

  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<int64_t> memories = {0, 1024};
  // Which of them are a CUDA device's, and of which.
  std::vector<std::pair<int32_t, int8_t>> device_memories;
  const char* method = "forward";
  int methods = 1;
  // Added to the offset of each segment in its table.
  std::vector<int64_t> segment_shifts;
  bool with_values = true;

  std::vector<std::byte> build() {
    std::vector<flatbuffers::Offset<fb::ExecutionPlan>> plans;
    const std::vector<flatbuffers::Offset<fb::Chain>> chains = {
        fb::CreateChainDirect(builder_, nullptr, nullptr, &instructions_)};
    plans.reserve(static_cast<size_t>(methods));
    std::vector<flatbuffers::Offset<fb::NonConstBufferDevice>> devices;
    for (const auto& [memory, device] : device_memories) {
      devices.push_back(
          fb::CreateNonConstBufferDevice(builder_, memory, fb::DeviceType::CUDA, device));
    }
    for (int i = 0; i < methods; ++i) {
      plans.push_back(fb::CreateExecutionPlanDirect(
          builder_, method, 0, with_values ? &values_ : nullptr, &inputs, &outputs, &chains,
          &operators_, &delegates_, &memories, devices.empty() ? nullptr : &devices));
    }
    std::string data;
    std::vector<flatbuffers::Offset<fb::DataSegment>> segments;
    for (size_t i = 0; i < segments_.size(); ++i) {
      data.resize((data.size() + kSegmentAlignment - 1) / kSegmentAlignment * kSegmentAlignment);
      const int64_t shift = i < segment_shifts.size() ? segment_shifts[i] : 0;
      segments.push_back(fb::CreateDataSegment(builder_, data.size() + static_cast<uint64_t>(shift),
                                               segments_[i].size()));
      data += segments_[i];
    }
    const auto root =
        fb::CreateProgramDirect(builder_, 0, &plans, &inline_constants_, &inline_engines_,
                                &segments, constants_, &mutable_, &named_);
    fb::FinishProgramBuffer(builder_, root);
    const std::string tables(reinterpret_cast<const char*>(builder_.GetBufferPointer()),
                             builder_.GetSize());
    return assemble(tables, data);
  }

 private:
  int32_t add(fb::KernelTypes type, flatbuffers::Offset<void> content) {
    values_.push_back(fb::CreateEValue(builder_, type, content));
    return static_cast<int32_t>(values_.size() - 1);
  }
  void add(fb::InstructionArguments type, flatbuffers::Offset<void> content) {
    instructions_.push_back(fb::CreateInstruction(builder_, type, content));
  }

  // Puts the extended header in, and the segments behind.
  static std::vector<std::byte> assemble(const std::string& tables, const std::string& data) {
    const auto put = [](std::string& text, auto number) {
      text.append(reinterpret_cast<const char*>(&number), sizeof number);
    };
    uint32_t root = 0;
    std::memcpy(&root, tables.data(), sizeof root);
    const uint64_t program_size = tables.size() + kHeaderLength;
    const uint64_t base =
        (program_size + kSegmentAlignment - 1) / kSegmentAlignment * kSegmentAlignment;
    std::string file;
    put(file, root + kHeaderLength);
    file += tables.substr(kIdentifierOffset, 4);
    file += kHeaderMagic;
    put(file, kHeaderLength);
    put(file, program_size);
    put(file, data.empty() ? uint64_t{0} : base);
    put(file, uint64_t{data.size()});
    file += tables.substr(kHeaderOffset);
    if (!data.empty()) {
      file.resize(base);
      file += data;
    }
    const auto bytes = std::as_bytes(std::span<const char>(file));
    return {bytes.begin(), bytes.end()};
  }

  flatbuffers::FlatBufferBuilder builder_;
  std::vector<flatbuffers::Offset<fb::EValue>> values_;
  std::vector<flatbuffers::Offset<fb::Operator>> operators_;
  std::vector<flatbuffers::Offset<fb::Instruction>> instructions_;
  std::vector<flatbuffers::Offset<fb::BackendDelegate>> delegates_;
  std::vector<flatbuffers::Offset<fb::NamedData>> named_;
  std::vector<flatbuffers::Offset<fb::SubsegmentOffsets>> mutable_;
  std::vector<flatbuffers::Offset<fb::Buffer>> inline_constants_;
  std::vector<flatbuffers::Offset<fb::BackendDelegateInlineData>> inline_engines_;
  flatbuffers::Offset<fb::SubsegmentOffsets> constants_;
  std::vector<std::string> segments_;
};

// "" for a file that passes, else the error's message.
inline std::string read_error(std::vector<std::byte> bytes, const ReadOptions& options = {}) {
  const auto file = File::read(own_bytes(std::move(bytes)), "test.pte", options);
  return file.ok() ? "" : file.error().message();
}
inline std::string read_error(TestProgram& program, const ReadOptions& options = {}) {
  return read_error(program.build(), options);
}

}  // namespace slipway::pte
