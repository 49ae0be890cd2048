#include "pt2/object_pickle.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "pt2/pickle_stack.h"
#include "pt2/zip_reader.h"

namespace slipway::pt2 {
namespace {

// Some forty describe an object of thirteen texts.
constexpr size_t kMaxOpcodes = 4096;
// TorchScript keeps the type of a list beside it, by this.
constexpr std::string_view kTypeTag = "torch.jit._pickle.restore_type_tag";

// What stands for an object while PyTorch traces a program, and the member of it that is the
// object.
constexpr std::string_view kWrapper = "torch._library.fake_class_registry.FakeScriptObject";
constexpr std::string_view kWrapped = "real_obj";

enum class ObjectOpcode : uint8_t {
  kProto = 0x80,
  kFrame = 0x95,
  kStop = '.',
  kMark = '(',
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kNewObject = 0x81,
  kReduce = 'R',
  kBuild = 'b',
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
  kNone = 'N',
  kText1 = 0x8c,
  kText4 = 'X',
  kText8 = 0x8d,
  kBytes1 = 'C',
  kBytes4 = 'B',
  kBytes8 = 0x8e,
  kPut1 = 'q',
  kPut4 = 'r',
  kMemoize = 0x94,
  kGet1 = 'h',
  kGet4 = 'j',
};

// Objects lie in one table and name each other by index, so that a knot is followed nowhere.
using Index = uint32_t;
struct StackObject {
  enum Kind : uint8_t { kText, kList, kTuple, kDict, kNone, kGlobal, kInstance } kind = kText;
  std::string_view text = {};  // kText
  std::string name = {};       // kGlobal, kInstance
  // Of lists and tuples; keys and values of a dict; an instance's state, of one.
  std::vector<Index> items = {};
};

class Machine : PickleStack<StackObject> {
 public:
  Machine(std::span<const std::byte> pickle, std::span<const std::string_view> types,
          const std::string& name)
      : PickleStack(pickle, name), types_(types) {}

  Result<PickledObject> run() {
    bool stopped = false;
    for (size_t count = 0; !stopped; ++count) {
      if (count == kMaxOpcodes) return damaged("has too many opcodes");
      SLIPWAY_ASSIGN_OR_RETURN(const uint64_t code, take_number(1));
      SLIPWAY_RETURN_IF_ERROR(step(static_cast<ObjectOpcode>(code), stopped));
    }
    SLIPWAY_ASSIGN_OR_RETURN(const Index top, pop());
    SLIPWAY_ASSIGN_OR_RETURN(const Index unwrapped, unwrap(top));
    const StackObject& object = objects_[unwrapped];
    if (object.kind != StackObject::kInstance) return damaged("does not hold an object");
    if (object.items.size() != 1 || objects_[object.items[0]].kind != StackObject::kList) {
      return unsupported("{} holds a {} whose state is not a list", name_, object.name);
    }
    PickledObject result{object.name, {}, nullptr};
    for (const Index item : objects_[object.items[0]].items) {
      if (objects_[item].kind != StackObject::kText) {
        return unsupported("{} holds a {} whose state is not a list of texts", name_, object.name);
      }
      result.state.push_back(objects_[item].text);
    }
    return result;
  }

 private:
  // What a wrapper holds; anything else is itself. A wrapper in one is left there.
  Result<Index> unwrap(Index index) const {
    const StackObject& wrapper = objects_[index];
    if (wrapper.kind != StackObject::kInstance || wrapper.name != kWrapper) return index;
    if (wrapper.items.size() == 1 && objects_[wrapper.items[0]].kind == StackObject::kDict) {
      const std::vector<Index>& items = objects_[wrapper.items[0]].items;
      for (size_t i = items.size(); i >= 2; i -= 2) {  // of several with one name the last
        const StackObject& key = objects_[items[i - 2]];
        if (key.kind == StackObject::kText && key.text == kWrapped) return items[i - 1];
      }
    }
    return unsupported("{} holds a {} without an object in it", name_, wrapper.name);
  }
  Status push_text(size_t bytes_of_length) {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t length, take_number(bytes_of_length));
    SLIPWAY_ASSIGN_OR_RETURN(const std::string_view content, take_text(length));
    return push({.text = content});
  }
  Status push_tuple(size_t count) {
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<Index> items, pop(count));
    return push({.kind = StackObject::kTuple, .items = std::move(items)});
  }
  Status append(const std::vector<Index>& items) {
    SLIPWAY_ASSIGN_OR_RETURN(const Index list, pop());
    if (objects_[list].kind != StackObject::kList) return damaged("appends to what is no list");
    objects_[list].items.insert(objects_[list].items.end(), items.begin(), items.end());
    push_again(list);
    return {};
  }
  Status set_items(const std::vector<Index>& items) {
    SLIPWAY_ASSIGN_OR_RETURN(const Index dict, pop());
    if (objects_[dict].kind != StackObject::kDict) return damaged("sets items of what is no dict");
    if (items.size() % 2 != 0) return damaged("has a key without a value");
    objects_[dict].items.insert(objects_[dict].items.end(), items.begin(), items.end());
    push_again(dict);
    return {};
  }
  Status push_global(std::string_view module, std::string_view name) {
    std::string whole = std::string(module) + "." + std::string(name);
    if (whole != kTypeTag && whole != kWrapper &&
        std::find(types_.begin(), types_.end(), whole) == types_.end()) {
      return unsupported(
          "{} asks for {}, which is no object that Slipway knows; nothing of it runs", name_,
          printable_start(whole));
    }
    return push({.kind = StackObject::kGlobal, .name = std::move(whole)});
  }
  // An instance of a class or function on the stack, with arguments above it.
  Status call(bool makes_empty) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Index> both, pop(2));
    const StackObject& callee = objects_[both[0]];
    const StackObject& arguments = objects_[both[1]];
    if (callee.kind != StackObject::kGlobal || arguments.kind != StackObject::kTuple) {
      return damaged("calls what is no function");
    }
    const std::vector<Index>& items = arguments.items;
    if (callee.name == kTypeTag) {
      if (makes_empty || items.size() != 2) return damaged("tags something that is no list");
      push_again(items[0]);
      return {};
    }
    if (items.size() != (makes_empty ? 0 : 1)) {
      return damaged("gives " + callee.name + " other arguments than it takes");
    }
    return push({.kind = StackObject::kInstance, .name = callee.name, .items = items});
  }
  Status build() {
    SLIPWAY_ASSIGN_OR_RETURN(const Index state, pop());
    SLIPWAY_ASSIGN_OR_RETURN(const Index object, pop());
    if (objects_[object].kind != StackObject::kInstance) return damaged("builds what is no object");
    objects_[object].items = {state};
    push_again(object);
    return {};
  }
  Status put(uint64_t place) {
    SLIPWAY_ASSIGN_OR_RETURN(const Index object, top());
    if (place >= kMaxOpcodes) return damaged("has too long a memo");
    if (memo_.size() <= place) memo_.resize(place + 1, kNothing);
    memo_[place] = object;
    return {};
  }
  Status get(uint64_t place) {
    if (place >= memo_.size() || memo_[place] == kNothing) {
      return damaged("takes what it did not put in its memo");
    }
    push_again(memo_[place]);
    return {};
  }
  Status put_numbered(size_t bytes) {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t place, take_number(bytes));
    return put(place);
  }
  Status get_numbered(size_t bytes) {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t place, take_number(bytes));
    return get(place);
  }

  Status step(ObjectOpcode opcode, bool& stopped) {
    switch (opcode) {
      case ObjectOpcode::kProto:
        return take_number(1).ok() ? Status() : damaged("is cut short");
      case ObjectOpcode::kFrame:
        return take_number(8).ok() ? Status() : damaged("is cut short");
      case ObjectOpcode::kStop:
        stopped = true;
        return {};
      case ObjectOpcode::kMark:
        mark();
        return {};
      case ObjectOpcode::kGlobal: {
        SLIPWAY_ASSIGN_OR_RETURN(const std::string_view module, take_line());
        SLIPWAY_ASSIGN_OR_RETURN(const std::string_view name, take_line());
        return push_global(module, name);
      }
      case ObjectOpcode::kStackGlobal: {
        SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Index> both, pop(2));
        if (objects_[both[0]].kind != StackObject::kText ||
            objects_[both[1]].kind != StackObject::kText) {
          return damaged("names a function by what is no text");
        }
        return push_global(objects_[both[0]].text, objects_[both[1]].text);
      }
      case ObjectOpcode::kNewObject:
        return call(/*makes_empty=*/true);
      case ObjectOpcode::kReduce:
        return call(/*makes_empty=*/false);
      case ObjectOpcode::kBuild:
        return build();
      case ObjectOpcode::kEmptyTuple:
        return push_tuple(0);
      case ObjectOpcode::kTuple1:
        return push_tuple(1);
      case ObjectOpcode::kTuple2:
        return push_tuple(2);
      case ObjectOpcode::kTuple3:
        return push_tuple(3);
      case ObjectOpcode::kTuple: {
        SLIPWAY_ASSIGN_OR_RETURN(std::vector<Index> items, pop_to_mark());
        return push({.kind = StackObject::kTuple, .items = std::move(items)});
      }
      case ObjectOpcode::kEmptyList:
        return push({.kind = StackObject::kList});
      case ObjectOpcode::kAppend: {
        SLIPWAY_ASSIGN_OR_RETURN(const Index item, pop());
        return append({item});
      }
      case ObjectOpcode::kAppends: {
        SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Index> items, pop_to_mark());
        return append(items);
      }
      case ObjectOpcode::kEmptyDict:
        return push({.kind = StackObject::kDict});
      case ObjectOpcode::kSetItem: {
        SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Index> items, pop(2));
        return set_items(items);
      }
      case ObjectOpcode::kSetItems: {
        SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Index> items, pop_to_mark());
        return set_items(items);
      }
      case ObjectOpcode::kNone:
        return push({.kind = StackObject::kNone});
      case ObjectOpcode::kText1:
      case ObjectOpcode::kBytes1:
        return push_text(1);
      case ObjectOpcode::kText4:
      case ObjectOpcode::kBytes4:
        return push_text(4);
      case ObjectOpcode::kText8:
      case ObjectOpcode::kBytes8:
        return push_text(8);
      case ObjectOpcode::kPut1:
        return put_numbered(1);
      case ObjectOpcode::kPut4:
        return put_numbered(4);
      case ObjectOpcode::kMemoize:
        return put(memo_.size());
      case ObjectOpcode::kGet1:
        return get_numbered(1);
      case ObjectOpcode::kGet4:
        return get_numbered(4);
    }
    return unsupported(
        "{} has the opcode {:#04x}, which no object that Slipway knows has (byte {})", name_,
        static_cast<unsigned>(opcode), position());
  }

  static constexpr Index kNothing = UINT32_MAX;

  std::span<const std::string_view> types_;
  std::vector<Index> memo_;
};

// The pickle of a record that is a zip, as TorchScript writes objects.
Result<OwnedSpan> pickle_of(const OwnedSpan& record, const std::string& name) {
  constexpr std::string_view kZip = "PK\3\4";
  const std::string_view start(reinterpret_cast<const char*>(record.bytes.data()),
                               std::min(record.bytes.size(), kZip.size()));
  if (start != kZip) return record;
  SLIPWAY_ASSIGN_OR_RETURN(ZipReader saved, ZipReader::open(record, name));
  for (const ZipEntry& entry : saved.entries()) {
    if (entry.name.ends_with("/data.pkl")) return saved.read(entry);
  }
  return invalid_file("{} has no data.pkl", name);
}

}  // namespace

Result<PickledObject> read_object(const OwnedSpan& record, std::span<const std::string_view> types,
                                  const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan pickle, pickle_of(record, name));
  SLIPWAY_ASSIGN_OR_RETURN(PickledObject object, Machine(pickle.bytes, types, name).run());
  object.owner = pickle.owner;
  return object;
}

}  // namespace slipway::pt2
