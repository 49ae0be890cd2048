#include "pte/reader/value_check.h"

#include <array>
#include <string_view>
#include <utility>

#include "base/try.h"

namespace slipway::pte {
namespace {

class ValueChecker {
 public:
  ValueChecker(const Tables& tables, const fb::ExecutionPlan& plan)
      : tables_(tables), plan_(plan) {}

  Result<std::vector<ValueFacts>> run() {
    const auto& values = *plan_.values();
    SLIPWAY_RETURN_IF_ERROR(count_steps(tables_, kStepsOfOne * values.size()));
    for (const fb::EValue* value : values) {
      auto facts = check(*value);
      if (!facts.ok()) return facts.error().with_context(fmt::format("value {}", facts_.size()));
      facts_.push_back(*facts);
    }
    // Ints come before or after the lists of them: ExecuTorch only keeps pointers.
    for (uint32_t i = 0; i < values.size(); ++i) {
      if (facts_[i].kinds != kIntList) continue;
      for (const int64_t item : *values.Get(i)->val_as_IntList()->items()) {
        if (item < 0 || static_cast<uint64_t>(item) >= facts_.size() ||
            facts_[static_cast<size_t>(item)].kinds != kInt) {
          return invalid_file("value {}: its item {} is not an int", i, item);
        }
      }
    }
    mark_bound();
    return std::move(facts_);
  }

 private:
  Result<ValueFacts> check(const fb::EValue& value) {
    const auto type = value.val_type();
    if (type == fb::KernelTypes::Null) return ValueFacts{kNone, {}};
    if (value.val() == nullptr) return invalid_file("it has no content");
    switch (type) {
      case fb::KernelTypes::Int:
        return ValueFacts{kInt, {}};
      case fb::KernelTypes::Bool:
        return ValueFacts{kBool, {}};
      case fb::KernelTypes::Double:
        return ValueFacts{kDouble, {}};
      case fb::KernelTypes::String: {
        const auto* text = value.val_as_String()->string_val();
        if (text == nullptr || text->size() > kMaxText) {
          return invalid_file("its text is missing or too long");
        }
        return ValueFacts{kString, {}};
      }
      case fb::KernelTypes::Tensor: {
        SLIPWAY_ASSIGN_OR_RETURN(const TensorFacts tensor,
                                 check_tensor(tables_, plan_, *value.val_as_Tensor()));
        return ValueFacts{kUnboundTensor, tensor};
      }
      default:
        return check_list(value);
    }
  }

  Result<ValueFacts> check_list(const fb::EValue& value) {
    switch (value.val_type()) {
      case fb::KernelTypes::IntList:
        SLIPWAY_RETURN_IF_ERROR(count_items(value.val_as_IntList()->items()));
        return ValueFacts{kIntList, {}};
      case fb::KernelTypes::DoubleList:
        SLIPWAY_RETURN_IF_ERROR(count_items(value.val_as_DoubleList()->items()));
        return ValueFacts{kDoubleList, {}};
      case fb::KernelTypes::BoolList:
        SLIPWAY_RETURN_IF_ERROR(count_items(value.val_as_BoolList()->items()));
        for (const uint8_t item : *value.val_as_BoolList()->items()) {
          if (item > 1) return invalid_file("its item {} is not a bool", item);
        }
        return ValueFacts{kBoolList, {}};
      case fb::KernelTypes::TensorList: {
        const auto* items = value.val_as_TensorList()->items();
        SLIPWAY_RETURN_IF_ERROR(count_items(items));
        for (const int32_t item : *items) SLIPWAY_RETURN_IF_ERROR(check_item(item, kTensor));
        return ValueFacts{kTensorList, {}};
      }
      case fb::KernelTypes::OptionalTensorList: {
        const auto* items = value.val_as_OptionalTensorList()->items();
        SLIPWAY_RETURN_IF_ERROR(count_items(items));
        for (const int32_t item : *items) {
          if (item != -1) SLIPWAY_RETURN_IF_ERROR(check_item(item, kTensor | kNone));
        }
        return ValueFacts{kOptionalTensorList, {}};
      }
      default:
        return invalid_file("its type, {}, is unknown", static_cast<int>(value.val_type()));
    }
  }

  template <class T>
  Status count_items(const flatbuffers::Vector<T>* items) {
    if (items == nullptr) return invalid_file("its items are missing");
    items_ += items->size();
    if (items_ > kMaxItems) return invalid_file("the lists have more than {} items", kMaxItems);
    SLIPWAY_RETURN_IF_ERROR(count_steps(tables_, items->size()));
    return check_aligned(*items);
  }

  // ExecuTorch reads the items of tensor lists while it makes the values, in order.
  Status check_item(int32_t item, ValueKinds allowed) const {
    if (item < 0 || static_cast<size_t>(item) >= facts_.size()) {
      return invalid_file("its item {} is not a value before it", item);
    }
    const ValueKinds kinds = facts_[static_cast<size_t>(item)].kinds;
    if ((kinds & ~allowed) != 0) {
      return invalid_file("its item {} is {}, not {}", item, describe(kinds), describe(allowed));
    }
    return {};
  }

  void mark_bound() {
    for (ValueFacts& facts : facts_) {
      if (facts.kinds != kUnboundTensor) continue;
      if (facts.tensor.planned) {
        facts.kinds = kWritableTensor;
      } else if (facts.tensor.constant || facts.tensor.nbytes == 0) {
        facts.kinds = kReadOnlyTensor;
      }
    }
    // Inputs and outputs are given memory before a run, outputs as much as they may ever need.
    for (const int32_t index : *plan_.outputs()) mark_bound(index, kWritableTensor);
    for (const int32_t index : *plan_.inputs()) {
      mark_bound(index, facts_[static_cast<size_t>(index)].tensor.dynamic ? kInPlaceTensor
                                                                          : kWritableTensor);
    }
  }

  void mark_bound(int32_t index, ValueKinds kinds) {
    ValueFacts& facts = facts_[static_cast<size_t>(index)];
    if ((facts.kinds & kTensor) == 0 || facts.tensor.planned || facts.tensor.constant) return;
    facts.kinds = kinds;
  }

  const Tables& tables_;
  const fb::ExecutionPlan& plan_;
  std::vector<ValueFacts> facts_;
  size_t items_ = 0;
};

}  // namespace

std::string describe(ValueKinds kinds) {
  static constexpr std::array<std::pair<ValueKinds, std::string_view>, 14> kNames = {{
      {kWritableTensor, "a tensor"},
      {kInPlaceTensor, "an input tensor of any size"},
      {kReadOnlyTensor, "a tensor that must not be written to"},
      {kUnboundTensor, "a tensor without memory"},
      {kInt, "an int"},
      {kDouble, "a float"},
      {kBool, "a bool"},
      {kString, "a string"},
      {kIntList, "a list of ints"},
      {kDoubleList, "a list of floats"},
      {kBoolList, "a list of bools"},
      {kTensorList, "a list of tensors"},
      {kOptionalTensorList, "a list of optional tensors"},
      {kNone, "None"},
  }};
  if ((kinds & kReadableTensor) == kReadableTensor) {
    kinds = static_cast<ValueKinds>((kinds & ~kTensor) | kWritableTensor);
  }
  std::string text;
  for (const auto& [kind, name] : kNames) {
    if ((kinds & kind) == 0) continue;
    if (!text.empty()) text += " or ";
    text += name;
  }
  return text;
}

Result<std::vector<ValueFacts>> check_values(const Tables& tables, const fb::ExecutionPlan& plan) {
  return ValueChecker(tables, plan).run();
}

}  // namespace slipway::pte
