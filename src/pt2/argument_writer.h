// Arguments of nodes and graphs as archives have them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/json_writer.h"
#include "ir/graph.h"
#include "pt2/archive_source.h"
#include "pt2/size_nodes.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// The names of one graph in the archive: Python's identifiers, each once. Those of the program
// where they are such.
class NameTable {
 public:
  explicit NameTable(const ir::Graph& graph);
  const std::string& operator[](const ir::Value* value) const { return names_.at(value); }
  bool is_taken(const std::string& name) const { return taken_.contains(name); }
  // A name like this one that nothing has, which is then taken.
  std::string add(std::string_view name);

 private:
  std::unordered_map<const ir::Value*, std::string> names_;
  std::unordered_set<std::string> taken_;
};

// "aten.add.Tensor" -> "torch.ops.aten.add.Tensor"; functions of Python stay as they are.
std::string target_of(const std::string& op);

// {"type": "cpu", "index": null}
void write_device(const ir::Device& device, JsonWriter& json);

// Writes arguments of one graph. All that it is given must outlive it.
class ArgumentWriter {
 public:
  ArgumentWriter(const NameTable& names, const std::map<ir::SymInt, ir::Value*>& sizes,
                 const SourceGraph& source)
      : names_(names), sizes_(sizes), source_(source) {}

  // The argument union, of all but graphs.
  Status write(const ir::Argument& argument, JsonWriter& json) const;
  // The union's variant for a value.
  void write(const ir::Value* value, JsonWriter& json) const;
  // {"name": ..., "class_fqn": ...}
  void write_object(const ir::Value* value, JsonWriter& json) const;
  // Of objects that the archive that was read does not have.
  void set_object_type(const ir::Value* value, const std::string& type) {
    object_types_[value] = type;
  }

 private:
  Status write_sym_int(const ir::SymInt& integer, JsonWriter& json) const;
  Status write_sym_ints(const std::vector<ir::SymInt>& integers, JsonWriter& json) const;
  Status write_int_lists(const std::vector<std::vector<ir::SymInt>>& lists, JsonWriter& json) const;
  void write_tensor(const ir::Value* value, JsonWriter& json) const;
  void write_tensors(const std::vector<ir::Value*>& values, bool optional, JsonWriter& json) const;
  template <class T>
  void write_items(const std::vector<std::variant<ir::Value*, T>>& items, const char* literal,
                   JsonWriter& json) const;

  const NameTable& names_;
  const std::map<ir::SymInt, ir::Value*>& sizes_;
  const SourceGraph& source_;
  std::unordered_map<const ir::Value*, std::string> object_types_;
};

}  // namespace slipway::pt2
