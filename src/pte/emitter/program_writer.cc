#include "pte/emitter/program_writer.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "pte/format/layout.h"
#include "pte/format/program_generated.h"
#include "pte/format/scalar_types.h"

namespace slipway::pte {

namespace {

namespace fb = executorch_flatbuffer;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

// Offsets within a flatbuffer are 31 bits; this leaves room for the last table.
constexpr size_t kMaxProgramSize = size_t{1} << 30;

template <class Integer>
void append(std::vector<std::byte>& bytes, Integer value) {
  for (size_t i = 0; i < sizeof(value); ++i) {
    bytes.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xff));
  }
}

void append(std::vector<std::byte>& bytes, std::string_view text) {
  for (char c : text) bytes.push_back(static_cast<std::byte>(c));
}

class PlanWriter {
 public:
  PlanWriter(FlatBufferBuilder& builder, const Plan& plan, const std::vector<uint32_t>& engines)
      : fbb_(builder), plan_(plan), engines_(engines) {}

  Offset<fb::ExecutionPlan> write() {
    std::vector<Offset<fb::EValue>> values;
    for (const PlanValue& value : plan_.values) {
      values.push_back(
          std::visit([&](const auto& content) { return write_value(content); }, value));
    }
    auto values_offset = fbb_.CreateVector(values);
    std::vector<Offset<fb::Operator>> operators;
    for (const OperatorName& op : plan_.operators) {
      auto name = fbb_.CreateSharedString(op.name);
      auto overload = fbb_.CreateSharedString(op.overload);
      operators.push_back(fb::CreateOperator(fbb_, name, overload));
    }
    auto operators_offset = fbb_.CreateVector(operators);
    auto chains = write_chains();
    std::vector<Offset<fb::BackendDelegate>> delegates;
    for (const Delegate& delegate : plan_.delegates) delegates.push_back(write_delegate(delegate));
    auto delegates_offset = fbb_.CreateVector(delegates);
    std::vector<int64_t> bytes = {0};
    std::vector<Offset<fb::NonConstBufferDevice>> devices;
    for (const Arena& arena : plan_.arenas) {
      if (arena.device) {
        devices.push_back(fb::CreateNonConstBufferDevice(fbb_, static_cast<int32_t>(bytes.size()),
                                                         fb::DeviceType::CUDA, *arena.device));
      }
      bytes.push_back(static_cast<int64_t>(arena.size));
    }
    auto sizes = fbb_.CreateVector(bytes);
    Offset<flatbuffers::Vector<Offset<fb::NonConstBufferDevice>>> devices_offset;
    if (!devices.empty()) devices_offset = fbb_.CreateVector(devices);
    auto inputs = fbb_.CreateVector(plan_.inputs);
    auto outputs = fbb_.CreateVector(plan_.outputs);
    auto name = fbb_.CreateString(plan_.name);
    auto empty = fbb_.CreateSharedString("");
    auto container = fb::CreateContainerMetadata(fbb_, empty, empty);
    return fb::CreateExecutionPlan(fbb_, name, container, values_offset, inputs, outputs, chains,
                                   operators_offset, delegates_offset, sizes, devices_offset);
  }

 private:
  uint32_t memory_id(const Block& block) const {
    if (block.shared) return kSharedMemoryId;
    const auto arena = std::find_if(plan_.arenas.begin(), plan_.arenas.end(),
                                    [&](const Arena& one) { return one.device == block.device; });
    return kPlannedMemoryId + static_cast<uint32_t>(arena - plan_.arenas.begin());
  }

  template <class Table>
  Offset<fb::EValue> wrap(fb::KernelTypes type, Offset<Table> table) {
    return fb::CreateEValue(fbb_, type, table.Union());
  }

  Offset<fb::EValue> write_value(const NullValue&) {
    return wrap(fb::KernelTypes::Null, fb::CreateNull(fbb_));
  }
  Offset<fb::EValue> write_value(int64_t value) {
    return wrap(fb::KernelTypes::Int, fb::CreateInt(fbb_, value));
  }
  Offset<fb::EValue> write_value(bool value) {
    return wrap(fb::KernelTypes::Bool, fb::CreateBool(fbb_, value));
  }
  Offset<fb::EValue> write_value(double value) {
    return wrap(fb::KernelTypes::Double, fb::CreateDouble(fbb_, value));
  }
  Offset<fb::EValue> write_value(const std::string& text) {
    return wrap(fb::KernelTypes::String, fb::CreateString(fbb_, fbb_.CreateString(text)));
  }
  Offset<fb::EValue> write_value(const IntListValue& list) {
    return wrap(fb::KernelTypes::IntList, fb::CreateIntList(fbb_, fbb_.CreateVector(list.items)));
  }
  Offset<fb::EValue> write_value(const std::vector<double>& items) {
    return wrap(fb::KernelTypes::DoubleList, fb::CreateDoubleList(fbb_, fbb_.CreateVector(items)));
  }
  Offset<fb::EValue> write_value(const std::vector<bool>& items) {
    std::vector<uint8_t> bytes(items.begin(), items.end());
    return wrap(fb::KernelTypes::BoolList, fb::CreateBoolList(fbb_, fbb_.CreateVector(bytes)));
  }
  Offset<fb::EValue> write_value(const TensorListValue& list) {
    return wrap(fb::KernelTypes::TensorList,
                fb::CreateTensorList(fbb_, fbb_.CreateVector(list.items)));
  }
  Offset<fb::EValue> write_value(const OptionalTensorListValue& list) {
    return wrap(fb::KernelTypes::OptionalTensorList,
                fb::CreateOptionalTensorList(fbb_, fbb_.CreateVector(list.items)));
  }
  Offset<fb::EValue> write_value(const TensorValue& tensor) {
    auto sizes = fbb_.CreateVector(tensor.sizes);
    std::vector<uint8_t> order(tensor.sizes.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint8_t>(i);
    auto dim_order = fbb_.CreateVector(order);
    Offset<fb::AllocationDetails> allocation;
    std::optional<int8_t> device;
    if (tensor.allocated) {
      const Block& block = plan_.blocks[static_cast<size_t>(tensor.block)];
      device = block.device;
      allocation =
          fb::CreateAllocationDetails(fbb_, memory_id(block), static_cast<uint32_t>(block.offset),
                                      static_cast<uint32_t>(block.offset >> 32));
    }
    Offset<fb::ExtraTensorInfo> extra;
    if (!tensor.name.empty() || device) {
      Offset<flatbuffers::String> name;
      if (!tensor.name.empty()) name = fbb_.CreateString(tensor.name);
      extra = fb::CreateExtraTensorInfo(fbb_, 0, name, fb::TensorDataLocation::SEGMENT,
                                        device ? fb::DeviceType::CUDA : fb::DeviceType::CPU,
                                        device.value_or(0));
    }
    auto dynamism =
        tensor.dynamic ? fb::TensorShapeDynamism::DYNAMIC_BOUND : fb::TensorShapeDynamism::STATIC;
    return wrap(fb::KernelTypes::Tensor,
                fb::CreateTensor(fbb_, *scalar_type_of(tensor.dtype), 0, sizes, dim_order, false,
                                 tensor.data_buffer, allocation, 0, dynamism, extra));
  }

  Offset<fb::Instruction> write_call(const KernelCall& call) {
    auto args = fbb_.CreateVector(call.args);
    return fb::CreateInstruction(fbb_, fb::InstructionArguments::KernelCall,
                                 fb::CreateKernelCall(fbb_, call.op, args).Union());
  }
  Offset<fb::Instruction> write_call(const DelegateCall& call) {
    auto args = fbb_.CreateVector(call.args);
    return fb::CreateInstruction(fbb_, fb::InstructionArguments::DelegateCall,
                                 fb::CreateDelegateCall(fbb_, call.delegate, args).Union());
  }
  Offset<fb::Instruction> write_call(const JumpFalse& jump) {
    return fb::CreateInstruction(
        fbb_, fb::InstructionArguments::JumpFalseCall,
        fb::CreateJumpFalseCall(fbb_, jump.condition, jump.destination).Union());
  }
  Offset<fb::Instruction> write_call(const Move& move) {
    return fb::CreateInstruction(fbb_, fb::InstructionArguments::MoveCall,
                                 fb::CreateMoveCall(fbb_, move.from, move.to).Union());
  }

  Offset<flatbuffers::Vector<Offset<fb::Chain>>> write_chains() {
    std::vector<Offset<fb::Instruction>> instructions;
    for (const Instruction& instruction : plan_.instructions) {
      instructions.push_back(
          std::visit([&](const auto& call) { return write_call(call); }, instruction.call));
    }
    auto instructions_offset = fbb_.CreateVector(instructions);
    auto inputs = fbb_.CreateVector(plan_.inputs);
    auto outputs = fbb_.CreateVector(plan_.outputs);
    auto chain = fb::CreateChain(fbb_, inputs, outputs, instructions_offset);
    return fbb_.CreateVector(&chain, 1);
  }

  Offset<fb::BackendDelegate> write_delegate(const Delegate& delegate) {
    auto id = fbb_.CreateSharedString(delegate.backend);
    auto processed = fb::CreateBackendDelegateDataReference(fbb_, fb::DataLocation::SEGMENT,
                                                            engines_.at(delegate.engine));
    std::vector<Offset<fb::CompileSpec>> specs;
    for (const auto& [key, value] : delegate.compile_specs) {
      auto key_offset = fbb_.CreateSharedString(key);
      // A string lies in the file as a list of bytes does, with a NUL behind it: some delegates
      // read on until they find one.
      Offset<flatbuffers::Vector<uint8_t>> bytes(fbb_.CreateString(value).o);
      specs.push_back(fb::CreateCompileSpec(fbb_, key_offset, bytes));
    }
    auto specs_offset = fbb_.CreateVector(specs);
    return fb::CreateBackendDelegate(fbb_, id, processed, specs_offset);
  }

  FlatBufferBuilder& fbb_;
  const Plan& plan_;
  const std::vector<uint32_t>& engines_;
};

Offset<fb::SubsegmentOffsets> write_subsegments(FlatBufferBuilder& fbb,
                                                const Subsegments& subsegments) {
  auto offsets = fbb.CreateVector(subsegments.offsets);
  return fb::CreateSubsegmentOffsets(fbb, subsegments.segment, offsets);
}

Offset<fb::Program> write_tables(FlatBufferBuilder& fbb, const ProgramParts& parts) {
  std::vector<Offset<fb::ExecutionPlan>> plans;
  for (const Plan* plan : parts.plans)
    plans.push_back(PlanWriter(fbb, *plan, parts.engines).write());
  auto plans_offset = fbb.CreateVector(plans);

  std::vector<Offset<fb::DataSegment>> segments;
  for (const SegmentPlace& segment : parts.segments) {
    segments.push_back(fb::CreateDataSegment(fbb, segment.offset, segment.size));
  }
  auto segments_offset = fbb.CreateVector(segments);

  auto constants = write_subsegments(fbb, parts.constants);
  Offset<flatbuffers::Vector<Offset<fb::SubsegmentOffsets>>> mutable_data;
  if (parts.mutable_data) {
    auto subsegments = write_subsegments(fbb, *parts.mutable_data);
    mutable_data = fbb.CreateVector(&subsegments, 1);
  }
  std::vector<Offset<fb::NamedData>> named_data;
  for (const NamedSegment& named : parts.named_data) {
    auto key = fbb.CreateString(named.key);
    named_data.push_back(fb::CreateNamedData(fbb, key, named.segment));
  }
  auto named_data_offset = fbb.CreateVector(named_data);
  // Nothing lies outside the segments, but ExecuTorch's Python tools ask how much.
  auto constant_buffers = fbb.CreateVector(std::vector<Offset<fb::Buffer>>());
  auto delegate_data = fbb.CreateVector(std::vector<Offset<fb::BackendDelegateInlineData>>());
  return fb::CreateProgram(fbb, 0, plans_offset, constant_buffers, delegate_data, segments_offset,
                           constants, mutable_data, named_data_offset);
}

}  // namespace

uint64_t segment_base(const ProgramParts& parts, uint64_t program_size) {
  return *checked_align(std::max(program_size, parts.least_base), parts.base_alignment);
}

Result<std::vector<std::byte>> write_program(const ProgramParts& parts) {
  uint64_t estimate = 0;
  for (const Plan* plan : parts.plans) {
    for (const PlanValue& value : plan->values) {
      const auto* text = std::get_if<std::string>(&value);
      estimate += text ? text->size() : 0;
    }
    estimate += (plan->values.size() + plan->instructions.size()) * uint64_t{200};
  }
  if (estimate > kMaxProgramSize) {
    return unsupported("the program has too many values and instructions for one file");
  }
  FlatBufferBuilder fbb;
  fbb.Finish(write_tables(fbb, parts), std::string(kIdentifier).c_str());

  constexpr size_t kHeaderSize =
      (kHeaderLength + kFlatbufferAlignment - 1) / kFlatbufferAlignment * kFlatbufferAlignment;
  const size_t size = fbb.GetSize() + kHeaderSize;
  const uint64_t base = segment_base(parts, size);
  uint64_t data_size = 0;
  if (!parts.segments.empty()) {
    data_size = parts.segments.back().offset + parts.segments.back().size;
  }

  std::vector<std::byte> bytes;
  bytes.reserve(size);
  const uint8_t* flatbuffer = fbb.GetBufferPointer();
  uint32_t root = 0;
  std::memcpy(&root, flatbuffer, sizeof(root));
  append(bytes, static_cast<uint32_t>(root + kHeaderSize));
  append(bytes, kIdentifier);
  append(bytes, kHeaderMagic);
  append(bytes, kHeaderLength);
  append(bytes, static_cast<uint64_t>(size));
  append(bytes, base);
  append(bytes, data_size);
  bytes.resize(kHeaderOffset + kHeaderSize);
  const auto* rest = reinterpret_cast<const std::byte*>(flatbuffer);
  bytes.insert(bytes.end(), rest + kHeaderOffset, rest + fbb.GetSize());
  return bytes;
}

}  // namespace slipway::pte
