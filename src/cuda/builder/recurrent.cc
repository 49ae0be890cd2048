// Recurrent networks: a block goes through the steps of one direction of one batch element.
#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

struct Network {
  Value* x = nullptr;
  Value* w = nullptr;
  Value* r = nullptr;
  Value* b = nullptr;  // may be null
  Value* h = nullptr;
  Value* c = nullptr;  // of an LSTM
  Value* y = nullptr;
  Value* last_h = nullptr;
  Value* last_c = nullptr;
  int64_t gates = 1;
  int64_t hidden = 0;
  bool is_relu = false;
  const char* type = "float";
};

std::string gate_name(const char* sum, int64_t gate) { return fmt::format("{}{}", sum, gate); }

// The bias of the input's product, or of the state's.
std::string bias(Kernel& k, const Network& n, const std::string& d, int64_t gate, bool of_state,
                 const std::string& unit) {
  if (!n.b) return "0";
  const int64_t first = (gate + (of_state ? n.gates : 0)) * n.hidden;
  return k.read(*n.b, {d, k.let("Index", plus(unit, std::to_string(first)))});
}

// The sums of all gates: sx of the input, sh of the state before.
void sums(Kernel& k, const Network& n, const Indices& place, const std::string& t,
          const std::string& before, const std::string& unit) {
  const std::string& d = place[0];
  const std::string& batch = place[1];
  const auto row = [&](int64_t gate) {
    return k.let("Index", plus(unit, std::to_string(gate * n.hidden)));
  };
  for (int64_t g = 0; g < n.gates; ++g) {
    const std::string of_input = bias(k, n, d, g, false, unit);
    const std::string of_state = bias(k, n, d, g, true, unit);
    k.line(fmt::format("{} {} = {}, {} = {};", n.type, gate_name("sx", g), of_input,
                       gate_name("sh", g), of_state));
  }
  k.open(fmt::format("for (Index i = 0; i < {}; ++i)", k.number(n.x->sizes[2])));
  const std::string input = k.read(*n.x, {t, batch, "i"});
  for (int64_t g = 0; g < n.gates; ++g) {
    const std::string weight = k.read(*n.w, {d, row(g), "i"});
    k.line(fmt::format("{0} = s_fma({1}, {2}, {0});", gate_name("sx", g), input, weight));
  }
  k.close();
  k.open(fmt::format("for (Index i = 0; i < {}; ++i)", n.hidden));
  k.line(fmt::format("{} state;", n.type));
  k.open("if (s == 0)");
  const std::string first = k.read(*n.h, {d, batch, "i"});
  k.line(fmt::format("state = {};", first));
  k.close();
  k.open("else");
  const std::string previous =
      k.load(*n.y->buffer, n.y->dtype, k.ravel({before, d, batch, "i"}, n.y->sizes));
  k.line(fmt::format("state = {};", previous));
  k.close();
  for (int64_t g = 0; g < n.gates; ++g) {
    const std::string weight = k.read(*n.r, {d, row(g), "i"});
    k.line(fmt::format("{0} = s_fma(state, {1}, {0});", gate_name("sh", g), weight));
  }
  k.close();
}

void step(Kernel& k, const Network& n, const Indices& place, const std::string& t,
          const std::string& before, const std::string& unit) {
  const Indices own = {place[0], place[1], unit};
  sums(k, n, place, t, before, unit);
  k.line(fmt::format("{} next;", n.type));
  if (n.c) {
    k.line(fmt::format("{} cell;", n.type));
    k.open("if (s == 0)");
    const std::string first = k.read(*n.c, own);
    k.line(fmt::format("cell = {};", first));
    k.close();
    k.open("else");
    const std::string previous =
        k.load(*n.last_c->buffer, n.last_c->dtype, k.ravel(own, n.last_c->sizes));
    k.line(fmt::format("cell = {};", previous));
    k.close();
    k.line("cell = s_sigmoid(sx2 + sh2) * cell + s_sigmoid(sx0 + sh0) * s_tanh(sx3 + sh3);");
    k.line("next = s_sigmoid(sx1 + sh1) * s_tanh(cell);");
    k.store(*n.last_c, own, "cell");
  } else if (n.gates == 3) {
    k.line(fmt::format("{} old;", n.type));
    k.open("if (s == 0)");
    const std::string first = k.read(*n.h, own);
    k.line(fmt::format("old = {};", first));
    k.close();
    k.open("else");
    const std::string previous =
        k.load(*n.y->buffer, n.y->dtype, k.ravel({before, place[0], place[1], unit}, n.y->sizes));
    k.line(fmt::format("old = {};", previous));
    k.close();
    k.line(fmt::format("const {} z = s_sigmoid(sx0 + sh0);", n.type));
    k.line(fmt::format("const {} r = s_sigmoid(sx1 + sh1);", n.type));
    k.line("next = (1 - z) * s_tanh(sx2 + r * sh2) + z * old;");
  } else {
    k.line(n.is_relu ? "next = s_relu(sx0 + sh0);" : "next = s_tanh(sx0 + sh0);");
  }
  k.store(*n.y, {t, place[0], place[1], unit}, "next");
  k.store(*n.last_h, own, "next");
}

void recurrent(Rule& r) {
  Network n;
  n.x = &r.input(0);
  n.w = &r.input(1);
  n.r = &r.input(2);
  n.b = r.has(3) ? &r.input(3) : nullptr;
  if (r.has(4) || !r.has(5)) return r.fail("its recurrent network has lengths, or no state");
  n.h = &r.input(5);
  const bool is_lstm = r.node().op_type == "LSTM";
  n.c = is_lstm ? &r.input(6) : nullptr;
  n.gates = is_lstm ? 4 : r.node().op_type == "GRU" ? 3 : 1;
  n.hidden = r.attribute("hidden_size", int64_t{0});
  n.is_relu = !r.texts("activations").empty();
  n.type = c_type(r.dtype());
  const SymInt directions = n.w->sizes.at(0);
  const SymInt batch = n.x->sizes.at(1);
  const SymInt steps = n.x->sizes.at(0);
  if (steps.bounds(r.generator().graph().ranges).min.value_or(0) < 1) {
    return r.fail("its recurrent network may have no steps");
  }
  std::vector<Value*> operands = {n.x, n.w, n.r, n.h};
  if (n.b) operands.push_back(n.b);
  if (n.c) operands.push_back(n.c);
  n.y = &r.define_memory(0, {steps, directions, batch, n.hidden}, operands, operands);
  n.last_h = &r.define_memory(1, {directions, batch, n.hidden}, {}, {});
  if (is_lstm) n.last_c = &r.define_memory(2, {directions, batch, n.hidden}, {}, {});

  Kernel k(r.generator());
  k.set_grid(directions * batch);
  k.set_block(Kernel::kBlock);
  const std::string block = k.let("Index", "(Index)blockIdx.x + 0");
  const Indices place = k.unravel(block, {directions, batch});
  const std::string count = k.let("Index", fmt::format("{} + 0", k.number(steps)));
  k.open(fmt::format("for (Index s = 0; s < {}; ++s)", count));
  k.line("__syncthreads();");
  const std::string t = k.let("Index", fmt::format("{} == 1 ? {} - 1 - s : s", place[0], count));
  const std::string before =
      k.let("Index", fmt::format("{0} == 1 ? {1} + 1 : {1} - 1", place[0], t));
  k.open(fmt::format("for (Index u = threadIdx.x; u < {}; u += {})", n.hidden, Kernel::kBlock));
  step(k, n, place, t, before, "u");
  k.close();
  k.close();
  r.generator().launch(k);
}

constexpr Entry kRecurrentRules[] = {{"LSTM GRU RNN", recurrent}};

}  // namespace

std::span<const Entry> recurrent_rules() { return kRecurrentRules; }

}  // namespace slipway::cuda
