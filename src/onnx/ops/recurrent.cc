#include <algorithm>
#include <array>
#include <string>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

enum class Kind { kLstm, kGru, kTanh, kRelu };

int64_t gates_of(Kind kind) { return kind == Kind::kLstm ? 4 : kind == Kind::kGru ? 3 : 1; }

const char* op_of(Kind kind) {
  return kind == Kind::kLstm ? "LSTM" : kind == Kind::kGru ? "GRU" : "RNN";
}

// PyTorch's gates (LSTM: i f g o, GRU: r z n) in ONNX's order (i o f c, z r h).
Ref reorder(Context& c, const Ref& x, Kind kind) {
  static constexpr std::array<size_t, 4> kLstm = {0, 3, 1, 2};
  static constexpr std::array<size_t, 3> kGru = {1, 0, 2};
  const auto gates = static_cast<size_t>(gates_of(kind));
  if (gates == 1) return x;
  const Refs pieces =
      c.ops("Split", {x}, {{"axis", 0}, {"num_outputs", static_cast<int64_t>(gates)}},
            std::vector<DType>(gates, x.dtype));
  Refs ordered;
  for (size_t i = 0; i < gates; ++i) {
    ordered.push_back(pieces[kind == Kind::kLstm ? kLstm[i] : kGru[i]]);
  }
  return c.concat(ordered, 0);
}

// A layer's weights, both directions together, as ONNX has them.
struct Layer {
  Ref w;
  Ref r;
  Ref b;  // absent without biases
};

Layer layer_of(Context& c, const Refs& params, size_t first, size_t directions, bool has_biases,
               Kind kind) {
  Refs w;
  Refs r;
  Refs b;
  size_t next = first;
  for (size_t d = 0; d < directions; ++d) {
    w.push_back(c.unsqueeze(reorder(c, params.at(next++), kind), {0}));
    r.push_back(c.unsqueeze(reorder(c, params.at(next++), kind), {0}));
    if (!has_biases) continue;
    const Ref input_bias = reorder(c, params.at(next++), kind);
    const Ref state_bias = reorder(c, params.at(next++), kind);
    b.push_back(c.unsqueeze(c.concat({input_bias, state_bias}, 0), {0}));
  }
  return {c.concat(w, 0), c.concat(r, 0), has_biases ? c.concat(b, 0) : Ref{}};
}

// x: [length, batch, width]. Results: y, h, c.
Refs run_layer(Context& c, const Ref& x, const Layer& layer, const Ref& h, const Ref& cell,
               int64_t hidden, bool bidirectional, Kind kind) {
  Attributes attributes = {{"hidden_size", hidden}};
  if (bidirectional) attributes.emplace_back("direction", std::string("bidirectional"));
  if (kind == Kind::kGru) attributes.emplace_back("linear_before_reset", 1);
  if (kind == Kind::kRelu) {
    attributes.emplace_back("activations", std::vector<std::string>(bidirectional ? 2 : 1, "Relu"));
  }
  Refs inputs = {x, layer.w, layer.r, layer.b, {}, h};
  if (kind == Kind::kLstm) inputs.push_back(cell);
  Refs results = c.ops(op_of(kind), inputs, attributes,
                       std::vector<DType>(kind == Kind::kLstm ? 3 : 2, x.dtype));
  // [length, directions, batch, hidden] -> [length, batch, directions * hidden]
  Ref y = c.transpose(results.at(0), {0, 2, 1, 3});
  results.at(0) = c.op("Reshape", {y, c.ints({0, 0, bidirectional ? 2 * hidden : hidden})});
  return results;
}

// <kind>.input(x, hx, params, has_biases, layers, dropout, train, bidirectional, batch_first)
void recurrent(Context& c, Kind kind) {
  const bool has_biases = c.flag(3);
  const int64_t layers = c.constant(4);
  if (c.flag(6) && c.real(5) != 0) return c.fail("dropout has random results");
  const bool bidirectional = c.flag(7);
  const bool batch_first = c.flag(8);
  const int64_t directions = bidirectional ? 2 : 1;
  const Refs params = c.tensors(2);
  const auto param_values = c.values(2);
  const Refs states = c.tensors(1);
  const auto per_layer = static_cast<size_t>(directions * (has_biases ? 4 : 2));
  const bool lstm = kind == Kind::kLstm;
  if (states.size() != (lstm ? 2 : 1) || params.size() != per_layer * static_cast<size_t>(layers)) {
    return c.fail("its weights are not those of a plain recurrent network");
  }
  if (std::find(param_values.begin(), param_values.end(), nullptr) != param_values.end()) {
    return c.fail("one of its weights is missing");
  }
  const auto hidden = param_values.at(1)->sizes().at(1).constant();
  if (!hidden) return c.fail("its hidden size is not known");

  Ref x = c.tensor(0);
  const bool batched = c.rank(0) == 3;
  const int64_t batch_axis = batch_first ? 0 : 1;
  // Without a batch the input and the states lack its dimension.
  if (!batched) x = c.unsqueeze(x, {batch_axis});
  if (batch_first) x = c.transpose(x, {1, 0, 2});
  const auto state = [&](size_t i) {
    return batched || i >= states.size() ? (i < states.size() ? states.at(i) : Ref{})
                                         : c.unsqueeze(states.at(i), {1});
  };
  const Ref h = state(0);
  const Ref cell = state(1);

  Refs last_h;
  Refs last_c;
  for (int64_t i = 0; i < layers; ++i) {
    const auto part = [&](const Ref& all) {
      return layers == 1 || !all.present() ? all
                                           : c.slice(all, 0, i * directions, (i + 1) * directions);
    };
    const Layer layer = layer_of(c, params, static_cast<size_t>(i) * per_layer,
                                 static_cast<size_t>(directions), has_biases, kind);
    const Refs results = run_layer(c, x, layer, part(h), part(cell), *hidden, bidirectional, kind);
    x = results.at(0);
    last_h.push_back(results.at(1));
    if (lstm) last_c.push_back(results.at(2));
  }
  Ref all_h = c.concat(last_h, 0);
  Ref all_c = lstm ? c.concat(last_c, 0) : Ref{};
  if (!batched) all_h = c.squeeze(all_h, {1});
  if (!batched && lstm) all_c = c.squeeze(all_c, {1});
  if (batch_first) x = c.transpose(x, {1, 0, 2});
  if (!batched) x = c.squeeze(x, {batch_axis});
  c.result(x);
  c.result(all_h, 1);
  if (lstm) c.result(all_c, 2);
}

void lstm(Context& c) { recurrent(c, Kind::kLstm); }
void gru(Context& c) { recurrent(c, Kind::kGru); }
void rnn_tanh(Context& c) { recurrent(c, Kind::kTanh); }
void rnn_relu(Context& c) { recurrent(c, Kind::kRelu); }

constexpr Entry kRecurrentRules[] = {
    {"aten.lstm.input", lstm, "dropout in training; projections"},
    {"aten.gru.input", gru, "dropout in training"},
    {"aten.rnn_tanh.input", rnn_tanh, "dropout in training"},
    {"aten.rnn_relu.input", rnn_relu, "dropout in training"},
};

}  // namespace

std::span<const Entry> recurrent_rules() { return kRecurrentRules; }

}  // namespace slipway::onnx
