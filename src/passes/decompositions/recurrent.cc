// Recurrent layers: a loop over the steps of the sequence, or a few of them one after the other.
#include <string>

#include "passes/decompositions/loops.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;

// Steps that are as fast one after the other, and no more.
constexpr int64_t kMostUnrolled = 16;

enum class Cell { kLstm, kGru, kTanh, kRelu };

// The weights of one direction of one layer.
struct CellWeights {
  Value* input = nullptr;       // [gates * hidden, features]
  Value* hidden = nullptr;      // [gates * hidden, hidden or projected]
  Value* input_bias = nullptr;  // [gates * hidden]
  Value* hidden_bias = nullptr;
  Value* projection = nullptr;  // LSTM: [projected, hidden]
};

struct State {
  Value* hidden;          // [batch, hidden or projected]
  Value* cell = nullptr;  // LSTM: [batch, hidden]
};

// One of `count` equal parts of the last dimension.
Value* gate(ir::OpBuilder& build, Value* gates, int64_t count, int64_t i) {
  const SymInt size = SymInt::floordiv(last(gates->sizes()), count);
  return build.narrow(gates, -1, size * SymInt(i), size);
}

// One step, from what the input adds to the gates.
State step(ir::OpBuilder& build, Cell cell, const CellWeights& w, Value* from_input,
           const State& state) {
  Value* from_hidden = build.linear(state.hidden, w.hidden, w.hidden_bias);
  if (cell == Cell::kGru) {
    const auto both = [&](int64_t i) {
      return build.sigmoid(
          build.add(gate(build, from_input, 3, i), gate(build, from_hidden, 3, i)));
    };
    Value* reset = both(0);
    Value* update = both(1);
    Value* candidate = build.tanh(
        build.add(gate(build, from_input, 3, 2), build.mul(reset, gate(build, from_hidden, 3, 2))));
    // candidate + update * (hidden - candidate)
    return {build.add(candidate, build.mul(update, build.sub(state.hidden, candidate)))};
  }
  Value* gates = build.add(from_input, from_hidden);
  if (cell == Cell::kTanh) return {build.tanh(gates)};
  if (cell == Cell::kRelu) return {build.relu(gates)};
  Value* input = build.sigmoid(gate(build, gates, 4, 0));
  Value* forget = build.sigmoid(gate(build, gates, 4, 1));
  Value* candidate = build.tanh(gate(build, gates, 4, 2));
  Value* output = build.sigmoid(gate(build, gates, 4, 3));
  Value* next = build.add(build.mul(forget, state.cell), build.mul(input, candidate));
  Value* hidden = build.mul(output, build.tanh(next));
  if (w.projection) hidden = build.linear(hidden, w.projection, nullptr);
  return {hidden, next};
}

// The outputs of all steps, [steps, batch, hidden or projected], in order of time.
struct Sequence {
  Value* outputs;
  State state;
};

Sequence unrolled(Context& c, Cell cell, const CellWeights& w, Value* from_input, int64_t steps,
                  bool reversed, State state) {
  List outputs(steps);
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t t = reversed ? steps - 1 - i : i;
    state = step(c.build, cell, w, c.build.select(from_input, 0, t), state);
    outputs.at(t) = state.hidden;
  }
  return {c.build.stack(outputs, 0), state};
}

Sequence looped(Context& c, Cell cell, const CellWeights& w, Value* from_input, bool reversed,
                const State& state) {
  LoopValues values{{state.hidden}, {from_input}, {w.hidden}};
  if (state.cell) values.state.push_back(state.cell);
  if (w.hidden_bias) values.given.push_back(w.hidden_bias);
  if (w.projection) values.given.push_back(w.projection);
  const auto body = [&](ir::OpBuilder& build, const LoopValues& now) -> LoopResults {
    CellWeights inside{nullptr, now.given.at(0)};
    if (w.hidden_bias) inside.hidden_bias = now.given.at(1);
    if (w.projection) inside.projection = now.given.back();
    State before{now.state.at(0)};
    if (state.cell) before.cell = now.state.at(1);
    const State after = step(build, cell, inside, now.scanned.at(0), before);
    LoopResults results{{after.hidden}, {after.hidden}};
    if (after.cell) results.state.push_back(after.cell);
    return results;
  };
  const LoopResults results = loop(c, values, reversed, body);
  State end{results.state.at(0)};
  if (state.cell) end.cell = results.state.at(1);
  return {results.stacked.at(0), end};
}

// One direction of one layer over x, [steps, batch, features].
Sequence sequence(Context& c, Cell cell, const CellWeights& w, Value* x, bool reversed,
                  const State& state) {
  // What the input adds does not wait for the state: one product for all steps.
  Value* from_input = c.build.linear(x, w.input, w.input_bias);
  const auto steps = x->sizes().at(0).constant();
  if (!steps || *steps > kMostUnrolled) return looped(c, cell, w, from_input, reversed, state);
  return unrolled(c, cell, w, from_input, *steps, reversed, state);
}

struct Layers {
  Cell cell;
  List hidden;  // initial states, each [layers * directions, batch, size]
  List parameters;
  bool has_biases;
  int64_t count;
  double dropout;
  bool train;
  bool bidirectional;
  bool batch_first;
};

Values run(Context& c, const Layers& l) {
  if (l.train && l.dropout > 0 && l.count > 1) {
    return c.unsupported("it draws random numbers (dropout in training): export in eval mode");
  }
  Value* x = c.tensor(0);
  const bool single = x->rank() == 2;
  List initial = l.hidden;
  if (single) {
    x = c.build.unsqueeze(x, l.batch_first ? 0 : 1);
    for (Value*& h : initial) h = c.build.unsqueeze(h, 1);
  }
  if (l.batch_first) x = c.build.transpose(x, 0, 1);
  const int64_t directions = l.bidirectional ? 2 : 1;
  const bool is_lstm = l.cell == Cell::kLstm;
  // Hidden and cell states differ in size where there is a projection, the last weight.
  const bool projected = is_lstm && last(initial.at(0)->sizes()) != last(initial.at(1)->sizes());
  const size_t each = 2 + (l.has_biases ? 2 : 0) + (projected ? 1 : 0);
  if (l.parameters.size() != each * static_cast<size_t>(l.count * directions) ||
      x->sizes().at(0) == SymInt(0)) {
    return c.unsupported("its parameters or its sequence are inconsistent");
  }
  List hidden;
  List cells;
  for (int64_t layer = 0; layer < l.count; ++layer) {
    List outputs;
    for (int64_t direction = 0; direction < directions; ++direction) {
      const int64_t index = layer * directions + direction;
      const auto first = l.parameters.begin() + index * static_cast<int64_t>(each);
      CellWeights w{first[0], first[1]};
      if (l.has_biases) {
        w.input_bias = first[2];
        w.hidden_bias = first[3];
      }
      if (projected) w.projection = first[each - 1];
      State state{c.build.select(initial.at(0), 0, index)};
      if (is_lstm) state.cell = c.build.select(initial.at(1), 0, index);
      const Sequence made = sequence(c, l.cell, w, x, direction == 1, state);
      outputs.push_back(made.outputs);
      hidden.push_back(made.state.hidden);
      cells.push_back(made.state.cell);
    }
    x = l.bidirectional ? c.build.cat(outputs, -1) : outputs.at(0);
  }
  if (l.batch_first) x = c.build.transpose(x, 0, 1);

  Values values = {c.build.view(x, c.output(0)->sizes()),
                   c.build.view(c.build.stack(hidden, 0), c.output(1)->sizes())};
  if (is_lstm) values.push_back(c.build.view(c.build.stack(cells, 0), c.output(2)->sizes()));
  return values;
}

// (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
Values layers(Context& c, Cell cell) {
  const List hidden = c.tensors(1);
  if (hidden.size() != (cell == Cell::kLstm ? 2U : 1U)) {
    return c.unsupported("its initial states are inconsistent");
  }
  return run(c, {cell, hidden, c.tensors(2), c.flag(3), c.constant(4), c.real(5), c.flag(6),
                 c.flag(7), c.flag(8)});
}

// (input, hx, w_ih, w_hh, b_ih, b_hh)
Values one_cell(Context& c, Cell cell) {
  CellWeights w{c.tensor(2), c.tensor(3), c.tensor_or_null(4), c.tensor_or_null(5)};
  const List hidden = c.tensors(1);
  if (hidden.size() != (cell == Cell::kLstm ? 2U : 1U)) {
    return c.unsupported("its initial states are inconsistent");
  }
  State state{hidden.at(0), cell == Cell::kLstm ? hidden.at(1) : nullptr};
  Value* x = c.tensor(0);
  const bool single = x->rank() == 1;
  if (single) {
    x = c.build.unsqueeze(x, 0);
    state.hidden = c.build.unsqueeze(state.hidden, 0);
    if (state.cell) state.cell = c.build.unsqueeze(state.cell, 0);
  }
  state = step(c.build, cell, w, c.build.linear(x, w.input, w.input_bias), state);
  Values values = {state.hidden};
  if (state.cell) values.push_back(state.cell);
  if (single) {
    for (Value*& value : values) value = c.build.squeeze(value, 0);
  }
  return values;
}

constexpr Entry kRecurrentRules[] = {
    {"aten.lstm.input", [](Context& c) { return layers(c, Cell::kLstm); }},
    {"aten.gru.input", [](Context& c) { return layers(c, Cell::kGru); }},
    {"aten.rnn_tanh.input", [](Context& c) { return layers(c, Cell::kTanh); }},
    {"aten.rnn_relu.input", [](Context& c) { return layers(c, Cell::kRelu); }},
    {"aten.lstm_cell.default", [](Context& c) { return one_cell(c, Cell::kLstm); }},
    {"aten.gru_cell.default", [](Context& c) { return one_cell(c, Cell::kGru); }},
    {"aten.rnn_tanh_cell.default", [](Context& c) { return one_cell(c, Cell::kTanh); }},
    {"aten.rnn_relu_cell.default", [](Context& c) { return one_cell(c, Cell::kRelu); }},
};

}  // namespace

std::span<const Entry> recurrent_rules() { return kRecurrentRules; }

}  // namespace slipway::passes::decompositions
