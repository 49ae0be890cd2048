#include "pt2/pickle_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "base/error.h"
#include "base/try.h"
#include "pt2/pickle_stack.h"
#include "pt2/tensor_meta.h"

namespace slipway::pt2 {
namespace {

constexpr size_t kMaxPickleSize = size_t{64} << 20;
// Opcodes; some 50 describe a tensor. Each may make a value, or name one of any size again.
constexpr size_t kMaxSteps = size_t{1} << 21;
constexpr size_t kMaxKeyLength = 1024;

enum class Opcode : uint8_t {
  kProto = 0x80,
  kStop = '.',
  kMark = '(',
  kPop = '0',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kBinUnicode = 'X',
  kGlobal = 'c',
  kEmptyTuple = ')',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kTuple = 't',
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBuild = 'b',
};

// The functions of torch that a pickle may ask for; each only describes a tensor here.
enum class Function : uint8_t {
  kOrderedDict,
  kRebuildTensorV2,
  kRebuildTensorV3,
  kRebuildParameter,
  kRebuildParameterWithState,
  kRebuildFromTypeV2,
  kTensorClass,
  kUntypedStorage,
};

struct NamedFunction {
  std::string_view name;
  Function function;
};
constexpr NamedFunction kFunctions[] = {
    {"collections.OrderedDict", Function::kOrderedDict},
    {"torch._utils._rebuild_tensor_v2", Function::kRebuildTensorV2},
    {"torch._utils._rebuild_tensor_v3", Function::kRebuildTensorV3},
    {"torch._utils._rebuild_parameter", Function::kRebuildParameter},
    {"torch._utils._rebuild_parameter_with_state", Function::kRebuildParameterWithState},
    {"torch._tensor._rebuild_from_type_v2", Function::kRebuildFromTypeV2},
    {"torch.Tensor", Function::kTensorClass},
    {"torch.storage.UntypedStorage", Function::kUntypedStorage},
};

struct NamedStorage {
  std::string_view name;
  DType dtype;
};
constexpr NamedStorage kStorages[] = {
    {"torch.ByteStorage", DType::kUInt8},
    {"torch.CharStorage", DType::kInt8},
    {"torch.ShortStorage", DType::kInt16},
    {"torch.IntStorage", DType::kInt32},
    {"torch.LongStorage", DType::kInt64},
    {"torch.HalfStorage", DType::kFloat16},
    {"torch.FloatStorage", DType::kFloat32},
    {"torch.DoubleStorage", DType::kFloat64},
    {"torch.ComplexFloatStorage", DType::kComplex64},
    {"torch.ComplexDoubleStorage", DType::kComplex128},
    {"torch.BoolStorage", DType::kBool},
    {"torch.BFloat16Storage", DType::kBFloat16},
};

// Objects live in one table and name each other by index: a pickle can tie knots, and so nothing
// here follows references further than a tensor's own arguments.
using Index = uint32_t;
struct None {};
struct Tuple {
  std::vector<Index> items;
};
struct List {
  std::vector<Index> items;
};
struct Dict {
  std::vector<std::pair<Index, Index>> items;
};
struct StorageClass {
  std::optional<DType> dtype;  // none: untyped
};
struct Storage {
  std::optional<DType> dtype;
  std::string_view key;
};
using Object = std::variant<None, bool, int64_t, double, std::string_view, Tuple, List, Dict,
                            Function, StorageClass, DType, Storage, PickledTensor>;

class PickleMachine : PickleStack<Object> {
 public:
  PickleMachine(std::span<const std::byte> pickle, const std::string& name)
      : PickleStack(pickle, name) {}

  Result<std::vector<std::pair<std::string, PickledTensor>>> run() {
    bool stopped = false;
    for (size_t steps = 0; !stopped; ++steps) {
      if (steps == kMaxSteps) return damaged("has too many opcodes");
      SLIPWAY_ASSIGN_OR_RETURN(const uint64_t code, take_number(1));
      SLIPWAY_RETURN_IF_ERROR(step(static_cast<Opcode>(code), stopped));
    }
    SLIPWAY_ASSIGN_OR_RETURN(const Index top, pop());
    const Dict* dict = std::get_if<Dict>(&objects_[top]);
    if (dict == nullptr) return damaged("does not hold a dict");
    std::vector<std::pair<std::string, PickledTensor>> tensors;
    std::unordered_map<std::string_view, size_t> places;
    for (const auto& [key, value] : dict->items) {
      const auto* text = std::get_if<std::string_view>(&objects_[key]);
      const auto* tensor = std::get_if<PickledTensor>(&objects_[value]);
      if (text == nullptr || tensor == nullptr) continue;
      if (text->size() > kMaxKeyLength) return damaged("has a key that is too long");
      const auto [place, is_new] = places.try_emplace(*text, tensors.size());
      if (is_new) {
        tensors.emplace_back(*text, *tensor);
      } else {
        tensors[place->second].second = *tensor;
      }
    }
    return tensors;
  }

 private:
  Status step(Opcode opcode, bool& stopped) {
    switch (opcode) {
      case Opcode::kProto: {
        SLIPWAY_ASSIGN_OR_RETURN(const uint64_t protocol, take_number(1));
        if (protocol != 2) {
          return unsupported("{} is a pickle of protocol {}; PyTorch writes 2", name_, protocol);
        }
        return {};
      }
      case Opcode::kStop:
        stopped = true;
        return {};
      case Opcode::kMark:
        mark();
        return {};
      case Opcode::kPop: {
        SLIPWAY_RETURN_IF_ERROR(pop());
        return {};
      }
      case Opcode::kNone:
        return push(None());
      case Opcode::kNewTrue:
        return push(true);
      case Opcode::kNewFalse:
        return push(false);
      case Opcode::kBinInt: {
        SLIPWAY_ASSIGN_OR_RETURN(const uint64_t value, take_number(4));
        return push(int64_t{static_cast<int32_t>(value)});
      }
      case Opcode::kBinInt1: {
        SLIPWAY_ASSIGN_OR_RETURN(const uint64_t value, take_number(1));
        return push(static_cast<int64_t>(value));
      }
      case Opcode::kBinInt2: {
        SLIPWAY_ASSIGN_OR_RETURN(const uint64_t value, take_number(2));
        return push(static_cast<int64_t>(value));
      }
      case Opcode::kLong1:
        return push_long();
      case Opcode::kBinFloat: {
        // The only big-endian number of a pickle.
        SLIPWAY_ASSIGN_OR_RETURN(const uint64_t bits, take_number(8));
        const uint64_t swapped = __builtin_bswap64(bits);
        double value = 0;
        std::memcpy(&value, &swapped, sizeof(value));
        return push(value);
      }
      case Opcode::kBinUnicode: {
        SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, take_number(4));
        SLIPWAY_ASSIGN_OR_RETURN(const std::string_view value, take_text(size));
        return push(value);
      }
      case Opcode::kGlobal:
        return push_global();
      case Opcode::kEmptyTuple:
        return push(Tuple());
      case Opcode::kTuple1:
        return push_tuple(1);
      case Opcode::kTuple2:
        return push_tuple(2);
      case Opcode::kTuple3:
        return push_tuple(3);
      case Opcode::kTuple: {
        SLIPWAY_ASSIGN_OR_RETURN(auto items, pop_to_mark());
        return push(Tuple{std::move(items)});
      }
      case Opcode::kEmptyList:
        return push(List());
      case Opcode::kAppend: {
        SLIPWAY_ASSIGN_OR_RETURN(const Index item, pop());
        return append({item});
      }
      case Opcode::kAppends: {
        SLIPWAY_ASSIGN_OR_RETURN(const auto items, pop_to_mark());
        return append(items);
      }
      case Opcode::kEmptyDict:
        return push(Dict());
      case Opcode::kSetItem: {
        SLIPWAY_ASSIGN_OR_RETURN(const Index value, pop());
        SLIPWAY_ASSIGN_OR_RETURN(const Index key, pop());
        return set_items({key, value});
      }
      case Opcode::kSetItems: {
        SLIPWAY_ASSIGN_OR_RETURN(const auto items, pop_to_mark());
        return set_items(items);
      }
      case Opcode::kBinPut:
      case Opcode::kLongBinPut: {
        SLIPWAY_ASSIGN_OR_RETURN(const uint64_t slot,
                                 take_number(opcode == Opcode::kBinPut ? 1 : 4));
        SLIPWAY_ASSIGN_OR_RETURN(memo_[slot], top());
        return {};
      }
      case Opcode::kBinGet:
      case Opcode::kLongBinGet: {
        SLIPWAY_ASSIGN_OR_RETURN(const uint64_t slot,
                                 take_number(opcode == Opcode::kBinGet ? 1 : 4));
        const auto found = memo_.find(slot);
        if (found == memo_.end()) return damaged("reads a memo that it never wrote");
        push_again(found->second);
        return {};
      }
      case Opcode::kBinPersId:
        return push_storage();
      case Opcode::kReduce:
        return reduce();
      case Opcode::kBuild: {
        // Attributes, such as the `_metadata` of a state dict: nothing here needs them.
        SLIPWAY_RETURN_IF_ERROR(pop());
        SLIPWAY_ASSIGN_OR_RETURN(const Index object, top());
        if (!std::holds_alternative<Dict>(objects_[object])) {
          return damaged("sets attributes of something that is no dict");
        }
        return {};
      }
    }
    return unsupported(
        "{} holds the pickle opcode {:#04x}, which no dict of tensors needs (byte {}): it is not "
        "run",
        name_, static_cast<unsigned>(opcode), position() - 1);
  }

  Status push_tuple(size_t count) {
    SLIPWAY_ASSIGN_OR_RETURN(auto items, pop(count));
    return push(Tuple{std::move(items)});
  }

  Status push_long() {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, take_number(1));
    SLIPWAY_ASSIGN_OR_RETURN(const std::string_view bytes, take_text(size));
    if (size > 8) return damaged("has an integer past 64 bits");
    // Two's complement, sign-extended from its last byte.
    uint64_t value =
        size > 0 && (static_cast<unsigned char>(bytes[size - 1]) & 0x80) != 0 ? ~uint64_t{0} : 0;
    std::memcpy(&value, bytes.data(), size);
    return push(static_cast<int64_t>(value));
  }

  Status push_global() {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string_view module, take_line());
    SLIPWAY_ASSIGN_OR_RETURN(const std::string_view attribute, take_line());
    const std::string name = fmt::format("{}.{}", module.substr(0, 100), attribute.substr(0, 100));
    for (const NamedFunction& known : kFunctions) {
      if (known.name == name) return push(known.function);
    }
    for (const NamedStorage& known : kStorages) {
      if (known.name == name) return push(StorageClass{known.dtype});
    }
    if (module == "torch") {
      if (const auto dtype = dtype_from_name(attribute)) return push(*dtype);
    }
    return unsupported(
        "{} asks for the Python object {}, which no dict of tensors needs: it is not loaded", name_,
        name);
  }

  Status append(const std::vector<Index>& items) {
    SLIPWAY_ASSIGN_OR_RETURN(const Index target, top());
    List* list = std::get_if<List>(&objects_[target]);
    if (list == nullptr) return damaged("appends to something that is no list");
    list->items.insert(list->items.end(), items.begin(), items.end());
    return {};
  }

  Status set_items(const std::vector<Index>& items) {
    SLIPWAY_ASSIGN_OR_RETURN(const Index target, top());
    Dict* dict = std::get_if<Dict>(&objects_[target]);
    if (dict == nullptr || items.size() % 2 != 0) return damaged("sets items of no dict");
    for (size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
    return {};
  }

  const Tuple* tuple_of(Index index, size_t at_least) const {
    const Tuple* tuple = std::get_if<Tuple>(&objects_[index]);
    return tuple != nullptr && tuple->items.size() >= at_least ? tuple : nullptr;
  }

  // ('storage', <class>, <key>, <device>, <elements>)
  Status push_storage() {
    SLIPWAY_ASSIGN_OR_RETURN(const Index id, pop());
    const Tuple* tuple = tuple_of(id, 5);
    if (tuple == nullptr) return damaged("has a persistent id that is no storage");
    const auto* kind = std::get_if<std::string_view>(&objects_[tuple->items[0]]);
    const auto* key = std::get_if<std::string_view>(&objects_[tuple->items[2]]);
    if (kind == nullptr || *kind != "storage" || key == nullptr) {
      return damaged("has a persistent id that is no storage");
    }
    const Object& type = objects_[tuple->items[1]];
    if (const auto* storage = std::get_if<StorageClass>(&type)) {
      return push(Storage{storage->dtype, *key});
    }
    const auto* function = std::get_if<Function>(&type);
    if (function != nullptr && *function == Function::kUntypedStorage) {
      return push(Storage{std::nullopt, *key});
    }
    return damaged("has a storage of no known type");
  }

  Status reduce() {
    SLIPWAY_ASSIGN_OR_RETURN(const Index arguments, pop());
    SLIPWAY_ASSIGN_OR_RETURN(const Index callee, pop());
    const auto* function = std::get_if<Function>(&objects_[callee]);
    const Tuple* tuple = tuple_of(arguments, 0);
    if (function == nullptr || tuple == nullptr) return damaged("calls what can't be called");
    SLIPWAY_ASSIGN_OR_RETURN(Object result, call(*function, tuple->items));
    return push(std::move(result));
  }

  Result<Object> call(Function function, const std::vector<Index>& arguments) const {
    switch (function) {
      case Function::kOrderedDict:
        if (arguments.empty()) return Object(Dict());
        break;
      case Function::kRebuildTensorV2:
      case Function::kRebuildTensorV3:
        return rebuild_tensor(arguments, function == Function::kRebuildTensorV3);
      case Function::kRebuildParameter:
      case Function::kRebuildParameterWithState:
        if (arguments.size() >= 3 &&
            std::holds_alternative<PickledTensor>(objects_[arguments[0]])) {
          return objects_[arguments[0]];
        }
        break;
      case Function::kRebuildFromTypeV2:
        return rebuild_from_type(arguments);
      case Function::kTensorClass:
      case Function::kUntypedStorage:
        break;
    }
    return damaged("calls a function of torch with unexpected arguments");
  }

  // (function, class, arguments, state), for tensors that carry Python attributes.
  Result<Object> rebuild_from_type(const std::vector<Index>& arguments) const {
    if (arguments.size() == 4) {
      const auto* function = std::get_if<Function>(&objects_[arguments[0]]);
      const auto* type = std::get_if<Function>(&objects_[arguments[1]]);
      const Tuple* inner = tuple_of(arguments[2], 0);
      if (function != nullptr && type != nullptr && *type == Function::kTensorClass &&
          (*function == Function::kRebuildTensorV2 || *function == Function::kRebuildTensorV3) &&
          inner != nullptr) {
        return rebuild_tensor(inner->items, *function == Function::kRebuildTensorV3);
      }
    }
    return damaged("holds a tensor of a Python class of its own");
  }

  // v2: (storage, offset, sizes, strides, requires_grad, hooks, metadata?)
  // v3: (storage, offset, sizes, strides, requires_grad, hooks, dtype, metadata?)
  Result<Object> rebuild_tensor(const std::vector<Index>& arguments, bool has_dtype) const {
    const size_t metadata = has_dtype ? 7 : 6;
    if (arguments.size() < metadata) return damaged("describes a tensor with too few values");
    const auto* storage = std::get_if<Storage>(&objects_[arguments[0]]);
    const auto* offset = std::get_if<int64_t>(&objects_[arguments[1]]);
    if (storage == nullptr || offset == nullptr) return damaged("describes a tensor wrongly");
    // A tensor that is lazily conjugated or negated says so here.
    if (arguments.size() > metadata &&
        !std::holds_alternative<None>(objects_[arguments[metadata]])) {
      return unsupported("{} holds a conjugated or negated view: save it after resolve_conj()",
                         name_);
    }
    PickledTensor tensor;
    tensor.storage_key = storage->key;
    tensor.storage_offset = *offset;
    SLIPWAY_ASSIGN_OR_RETURN(tensor.sizes, integers(arguments[2]));
    SLIPWAY_ASSIGN_OR_RETURN(tensor.strides, integers(arguments[3]));
    std::optional<DType> dtype = storage->dtype;
    if (has_dtype) {
      const auto* given = std::get_if<DType>(&objects_[arguments[6]]);
      if (given != nullptr) dtype = *given;
    }
    if (!dtype) return damaged("describes a tensor without a type");
    tensor.dtype = *dtype;
    return Object(std::move(tensor));
  }

  Result<std::vector<int64_t>> integers(Index index) const {
    const Tuple* tuple = tuple_of(index, 0);
    if (tuple == nullptr || tuple->items.size() > kMaxRank) {
      return damaged("describes a tensor's shape wrongly");
    }
    std::vector<int64_t> values;
    for (const Index item : tuple->items) {
      const auto* value = std::get_if<int64_t>(&objects_[item]);
      if (value == nullptr) return damaged("describes a tensor's shape wrongly");
      values.push_back(*value);
    }
    return values;
  }

  std::unordered_map<uint64_t, Index> memo_;
};

}  // namespace

Result<std::vector<std::pair<std::string, PickledTensor>>> read_tensor_dict(
    std::span<const std::byte> pickle, const std::string& name) {
  if (pickle.size() > kMaxPickleSize) {
    return invalid_file("{} is a pickle of {} bytes, more than the {} that are allowed", name,
                        pickle.size(), kMaxPickleSize);
  }
  return PickleMachine(pickle, name).run();
}

}  // namespace slipway::pt2
