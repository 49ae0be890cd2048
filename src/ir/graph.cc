#include "ir/graph.h"

#include <algorithm>
#include <cassert>
#include <unordered_map>
#include <unordered_set>

#include "schema/operator_name.h"

namespace slipway::ir {

namespace {

std::string unique(const std::string& name, std::map<std::string, int>& taken) {
  auto [entry, added] = taken.try_emplace(name, 0);
  if (added) return name;
  while (true) {
    std::string candidate = name + "_" + std::to_string(++entry->second);
    if (taken.try_emplace(candidate, 0).second) return candidate;
  }
}

// `argument` is an Argument, const or not; `visit` takes a reference to a pointer.
template <class AnyArgument, class Visit>
void visit_values(AnyArgument& argument, const Visit& visit) {
  auto visit_one = [&visit](auto& value) {
    if (value != nullptr) visit(value);
  };
  auto visit_list = [&](auto& list) {
    for (auto& value : list) visit_one(value);
  };
  auto visit_items = [&](auto& items) {
    for (auto& item : items) {
      if (auto* value = std::get_if<Value*>(&item)) visit_one(*value);
    }
  };
  if (auto* value = std::get_if<Value*>(&argument)) {
    visit_one(*value);
  } else if (auto* values = std::get_if<std::vector<Value*>>(&argument)) {
    visit_list(*values);
  } else if (auto* lists = std::get_if<std::vector<std::vector<Value*>>>(&argument)) {
    for (auto& list : *lists) visit_list(list);
  } else if (auto* floats = std::get_if<std::vector<FloatItem>>(&argument)) {
    visit_items(*floats);
  } else if (auto* bools = std::get_if<std::vector<BoolItem>>(&argument)) {
    visit_items(*bools);
  } else if (auto* dictionary = std::get_if<Dictionary>(&argument)) {
    for (auto& entry : dictionary->entries) visit_values(entry.value, visit);
  }
}

void clone_graphs(Argument& argument, const std::function<void(const Value*, Value*)>& map) {
  if (auto* graph = std::get_if<std::shared_ptr<Graph>>(&argument)) {
    *graph = (*graph)->clone(map);
  } else if (auto* dictionary = std::get_if<Dictionary>(&argument)) {
    for (DictionaryEntry& entry : dictionary->entries) clone_graphs(entry.value, map);
  }
}

}  // namespace

Argument::Argument() = default;
Argument::Argument(const Argument& other) = default;
Argument::Argument(Argument&& other) noexcept = default;
Argument& Argument::operator=(const Argument& other) = default;
Argument& Argument::operator=(Argument&& other) noexcept = default;
Argument::~Argument() = default;

bool operator==(const Argument& a, const Argument& b) {
  return static_cast<const AnyArgument&>(a) == static_cast<const AnyArgument&>(b);
}
bool operator==(const Dictionary& a, const Dictionary& b) { return a.entries == b.entries; }

Graph::Graph() = default;
Graph::~Graph() = default;

bool TensorType::is_static() const {
  return std::all_of(sizes.begin(), sizes.end(), [](const SymInt& s) { return s.is_constant(); });
}

Value* Graph::new_value(const std::string& name) {
  auto value = std::make_unique<Value>();
  value->name_ = unique(name.empty() ? "value" : name, value_names_);
  values_.push_back(std::move(value));
  return values_.back().get();
}

Value* Graph::add_input(const std::string& name, TensorType type) {
  Value* value = add_input(name, ValueKind::kTensor);
  value->type_ = std::move(type);
  return value;
}

Value* Graph::add_input(const std::string& name, ValueKind kind, SymInt expression) {
  Value* value = new_value(name);
  value->kind_ = kind;
  value->expression_ = std::move(expression);
  value->index_ = inputs_.size();
  inputs_.push_back(value);
  return value;
}

void Graph::remove_inputs(const std::function<bool(const Value*)>& unused) {
  std::erase_if(inputs_, unused);
  for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i]->index_ = i;
}

Node* Graph::add_node(const std::string& op, std::vector<Argument> args,
                      const NodeOptions& options) {
  auto node = std::make_unique<Node>();
  Node* result = node.get();
  result->op_ = op;
  result->name_ =
      unique(options.name.empty() ? std::string(schema::base_name(op)) : options.name, node_names_);
  result->args_ = std::move(args);
  if (options.origin != nullptr) {
    result->stack_trace_ = options.origin->stack_trace_;
    result->origin_ = options.origin->origin_;
  } else {
    result->stack_trace_ = options.stack_trace;
    result->origin_ = result->name_;
  }
  auto position = options.before == nullptr ? nodes_.end() : options.before->position_;
  result->position_ = nodes_.insert(position, std::move(node));
  return result;
}

Value* Graph::add_output(Node* node, TensorType type, const std::string& name) {
  Value* value = add_output(node, ValueKind::kTensor, 0, name);
  value->type_ = std::move(type);
  return value;
}

Value* Graph::add_output(Node* node, ValueKind kind, SymInt expression, const std::string& name) {
  Value* value = new_value(name.empty() ? node->name_ : name);
  value->kind_ = kind;
  value->expression_ = std::move(expression);
  value->producer_ = node;
  value->index_ = node->outputs_.size();
  node->outputs_.push_back(value);
  return value;
}

void Graph::erase(Node* node) { nodes_.erase(node->position_); }

void Graph::move_output(Value* value, Node* to) {
  std::vector<Value*>& from = value->producer_->outputs_;
  from.erase(from.begin() + static_cast<std::ptrdiff_t>(value->index_));
  for (size_t i = 0; i < from.size(); ++i) from[i]->index_ = i;
  value->producer_ = to;
  value->index_ = to->outputs_.size();
  to->outputs_.push_back(value);
}

void Graph::sort(const std::function<size_t(const Node*)>& rank) {
  // std::list keeps iterators to its nodes valid, and its sort is stable.
  nodes_.sort([&](const auto& a, const auto& b) { return rank(a.get()) < rank(b.get()); });
}

void Graph::replace_all_uses(Value* from, Value* to) {
  auto replace = [&](Value*& value) {
    if (value == from) value = to;
  };
  for (auto& node : nodes_) {
    for (Argument& argument : node->args_) for_each_value(argument, replace);
  }
  for (Argument& output : outputs_) for_each_value(output, replace);
}

void Graph::replace_all_uses(const std::function<Value*(Value*)>& replacement) {
  auto replace = [&](Value*& value) {
    for (Value* next = replacement(value); next != nullptr && next != value;
         next = replacement(value)) {
      value = next;
    }
  };
  for (auto& node : nodes_) {
    for (Argument& argument : node->args_) for_each_value(argument, replace);
  }
  for (Argument& output : outputs_) for_each_value(output, replace);
}

void Graph::rename(Value* value, const std::string& name) {
  if (value->name_ == name) return;
  value_names_.erase(value->name_);
  value->name_ = unique(name, value_names_);
}

void Graph::for_each_value(const Argument& argument, const std::function<void(Value*)>& visit) {
  visit_values(argument, [&visit](Value* value) { visit(value); });
}

void Graph::for_each_value(Argument& argument, const std::function<void(Value*&)>& visit) {
  visit_values(argument, [&visit](Value*& value) { visit(value); });
}

void Graph::for_each_graph(const Argument& argument,
                           const std::function<void(const std::shared_ptr<Graph>&)>& visit) {
  if (auto* graph = std::get_if<std::shared_ptr<Graph>>(&argument)) {
    visit(*graph);
  } else if (auto* dictionary = std::get_if<Dictionary>(&argument)) {
    for (const DictionaryEntry& entry : dictionary->entries) for_each_graph(entry.value, visit);
  }
}

std::shared_ptr<Graph> Graph::clone(std::function<void(const Value*, Value*)> map) const {
  auto copy = std::make_shared<Graph>();
  std::unordered_map<const Value*, Value*> copies;
  auto record = [&](const Value* from, Value* to) {
    to->type_ = from->type_;
    copies.emplace(from, to);
    if (map) map(from, to);
  };
  auto copy_argument = [&](const Argument& argument) {
    Argument result = argument;
    for_each_value(result, [&](Value*& value) {
      assert(copies.contains(value));
      value = copies[value];
    });
    clone_graphs(result, map);
    return result;
  };

  for (const Value* input : inputs_) {
    record(input, copy->add_input(input->name_, input->kind_, input->expression_));
  }
  for (const auto& node : nodes_) {
    std::vector<Argument> args;
    args.reserve(node->args_.size());
    for (const Argument& argument : node->args_) args.push_back(copy_argument(argument));
    Node* node_copy = copy->add_node(
        node->op_, std::move(args), {.before = nullptr, .origin = node.get(), .name = node->name_});
    for (const Value* output : node->outputs_) {
      record(output,
             copy->add_output(node_copy, output->kind_, output->expression_, output->name_));
    }
  }
  for (const Argument& output : outputs_) copy->outputs_.push_back(copy_argument(output));
  return copy;
}

}  // namespace slipway::ir
