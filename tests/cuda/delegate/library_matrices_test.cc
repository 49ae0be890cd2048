// Products and attention that a library computes: cuDNN, by a stand-in.
#include <cmath>

#include "base/half.h"
#include "cuda/delegate/library_graphs_test.h"

namespace slipway::cuda::library_matrices {
namespace {

using testing::HasSubstr;
using CudaLibraryMatrices = CudaLibraryGraphs;

// y = f(x w + bias) + c of float16, with c = x v.
TEST_F(CudaLibraryMatrices, ProductsAreTheLibrarysToo) {
  constexpr int kRows = 40;
  constexpr int kDepth = 48;
  constexpr int kColumns = 24;
  const auto number = [](int i, int period) {
    const int middle = period / 2;
    return static_cast<float>(i * 7 % period - middle) / 16;
  };
  const std::vector<std::pair<std::string, onnx::Attribute>> to_float = {{"to", int64_t{1}}};
  for (const std::string behind : {"", "Gelu", "Relu", "Add", "Tanh gelu"}) {
    Maker m;
    m.input("x", {kRows, kDepth});
    add_half(m, "x", "a", DType::kFloat16);
    const auto constant = [&](const std::string& name, std::vector<int64_t> sizes, int period) {
      std::vector<uint16_t> values;
      int64_t count = 1;
      for (const int64_t size : sizes) count *= size;
      for (int i = 0; i < count; ++i) values.push_back(to_float16(number(i, period)));
      m.constant(name + "_half", DType::kFloat16, std::move(sizes), values);
      m.node("Cast", {name + "_half"}, name, to_float);
    };
    constant("w", {kDepth, kColumns}, 13);
    constant("v", {kDepth, kColumns}, 11);
    constant("bias", {kColumns}, 5);
    if (behind == "Add") {
      m.node("MatMul", {"a", "v"}, "other_sums");
      add_half(m, "other_sums", "other", DType::kFloat16);
    }
    m.node("MatMul", {"a", "w"}, "sums");
    m.node("Add", {"sums", "bias"}, "with_bias");
    add_half(m, "with_bias", "rounded", DType::kFloat16);
    std::string y = "rounded";
    if (!behind.empty()) {
      std::vector<std::string> inputs = {"rounded"};
      if (behind == "Add") inputs.emplace_back("other");
      const bool is_tanh = behind == "Tanh gelu";
      m.node(is_tanh ? "Gelu" : behind, inputs, "behind",
             is_tanh ? std::vector<std::pair<std::string, onnx::Attribute>>{{"approximate",
                                                                             std::string("tanh")}}
                     : std::vector<std::pair<std::string, onnx::Attribute>>{});
      add_half(m, "behind", "y_rounded", DType::kFloat16);
      y = "y_rounded";
    }
    m.integers("axes", {1});
    m.node("ReduceMax", {y, "axes"}, "most", {{"keepdims", int64_t{1}}});
    m.node("Sub", {y, "most"}, "y");
    m.output("y", {kRows, kColumns});
    const auto blob = blob_of(m.graph, {.candidates = 1, .with_cudnn = true});
    const auto made = read_blob(blob)->engine;
    const auto fused = std::count_if(made.steps.begin(), made.steps.end(), [](const auto& step) {
      const auto* const graph = step.AsLibraryGraph();
      return graph != nullptr && graph->has_bias &&
             (graph->has_c || graph->activation != table::LibraryActivation::None);
    });
    EXPECT_EQ(fused, behind.empty() || behind == "Tanh gelu" ? 0 : 1) << behind;
    Floats given;
    for (int i = 0; i < kRows * kDepth; ++i) given.push_back(number(i, 17));
    std::vector<Floats> results;
    for (const uint32_t choice : {0, 1}) {
      Handle engine(all_chosen(blob, choice));
      ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
      TestTensor x({kRows, kDepth}, given);
      TestTensor result({kRows, kColumns}, Floats(kRows * kColumns));
      const int before = driver.library_graphs;
      ASSERT_EQ(engine.run({&x, &result}), et::Error::Ok) << engine.log();
      EXPECT_EQ(driver.library_graphs > before, choice == 1) << behind << engine.log();
      results.push_back(result.data());
    }
    EXPECT_THAT(results[1], testing::Pointwise(testing::FloatNear(4e-3F), results[0])) << behind;
    EXPECT_LT(*std::min_element(results[0].begin(), results[0].end()), -0.4F);
  }
}

// What lies in the caller's memory is written by a kernel, whatever is behind the sums.
TEST_F(CudaLibraryMatrices, ResultsOfHalvesMayBeTheCallers) {
  for (const bool adds : {true, false}) {
    Maker m;
    m.input("x", {64, 32});
    add_half(m, "x", "a", DType::kFloat16);
    const std::vector<std::pair<std::string, onnx::Attribute>> to_float = {{"to", int64_t{1}}};
    for (const std::string name : {"v", "w"}) {
      m.constant(name + "_half", DType::kFloat16, {32, 16}, std::vector<uint16_t>(32 * 16, 0x3800));
      m.node("Cast", {name + "_half"}, name, to_float);
    }
    m.node("MatMul", {"a", "v"}, "other_sums");
    add_half(m, "other_sums", "other", DType::kFloat16);
    m.node("Relu", {"other"}, "above");
    add_half(m, "above", "before", DType::kFloat16);
    m.node("MatMul", {"a", "w"}, "sums");
    std::string y = "sums";
    if (adds) {
      add_half(m, y, "rounded", DType::kFloat16);
      m.node("Add", {"rounded", "before"}, "both");
      y = "both";
    }
    m.node("Cast", {y}, "y", {{"to", int64_t{10}}});
    m.output("y", {64, 16}, DType::kFloat16);
    m.output("before_rounded", {64, 16}, DType::kFloat16);
    const auto constants = engine_build::Constants::of(m.graph);
    for (const bool by_cudnn : {true, false}) {
      Generator generator(m.graph, *constants,
                          {.with_cublaslt = !by_cudnn, .with_cudnn = by_cudnn});
      EXPECT_TRUE(generator.run().empty());
      EXPECT_THAT(generator.source(), testing::Not(HasSubstr("#error"))) << adds << by_cudnn;
      const table::EngineT engine = generator.take_engine();
      for (const auto& step : engine.steps) {
        if (info_of(step).library == Library::kNone) continue;
        for (const uint32_t written : writes_of(step)) {
          EXPECT_EQ(engine.buffers.at(written)->home, table::Home::Scratch);
        }
      }
    }
  }
}

// [1, heads, rows, 16] of queries, and keys and values of as many heads or fewer.
struct Heads {
  int queries = 24;
  int keys = 40;
  int shared = 1;  // heads of x that share those of k and v
  float scale = 0.25F;
  std::string op = "Mul";  // on the products
};
constexpr int kHeads = 4;
constexpr int kDepth = 16;

std::vector<std::byte> built(const Heads& heads) {
  Maker m;
  std::vector<uint16_t> same(kDepth * kDepth);
  for (int i = 0; i < kDepth; ++i) same[i * kDepth + i] = to_float16(1);
  m.constant("same_half", DType::kFloat16, {kDepth, kDepth}, same);
  m.node("Cast", {"same_half"}, "same", {{"to", int64_t{1}}});
  // In memory, as products give it.
  const auto input = [&](const std::string& name, int64_t count, int64_t rows) {
    m.input(name, {1, count, rows, kDepth});
    add_half(m, name, name + "_given", DType::kFloat16);
    m.node("MatMul", {name + "_given", "same"}, name + "_product");
    add_half(m, name + "_product", name + "_float", DType::kFloat16);
  };
  const int own = kHeads / heads.shared;
  input("q", kHeads, heads.queries);
  input("k", own, heads.keys);
  input("v", own, heads.keys);
  std::string k = "k_float";
  std::string v = "v_float";
  if (heads.shared > 1) {
    m.integers("wide", {1, own, heads.shared, heads.keys, kDepth});
    m.integers("all", {1, kHeads, heads.keys, kDepth});
    m.integers("axis", {2});
    for (std::string* const name : {&k, &v}) {
      m.node("Unsqueeze", {*name, "axis"}, *name + "_apart");
      m.node("Expand", {*name + "_apart", "wide"}, *name + "_wide");
      m.node("Reshape", {*name + "_wide", "all"}, *name + "_all");
      *name += "_all";
    }
  }
  m.node("Transpose", {k}, "turned", {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  m.node("MatMul", {"q_float", "turned"}, "products");
  m.constant("scale", DType::kFloat32, {},
             Floats{heads.op == "Div" ? 1 / heads.scale : heads.scale});
  std::vector<std::string> operands = {"products"};
  if (heads.op != "Tanh") operands.emplace_back("scale");
  m.node(heads.op, operands, "scores");
  m.node("Softmax", {"scores"}, "weights");
  m.node("MatMul", {"weights", v}, "sums");
  add_half(m, "sums", "result", DType::kFloat16);
  m.output("result", {1, kHeads, heads.queries, kDepth});
  return blob_of(m.graph, {.candidates = 1, .with_cudnn = true});
}

TEST_F(CudaLibraryMatrices, AttentionIsTheLibrarysToo) {
  const auto number = [](int i, int period) {
    const int middle = period / 2;
    return static_cast<float>(i * 7 % period - middle) / 8;
  };
  for (const Heads& heads :
       std::vector<Heads>{{}, {.op = "Div"}, {.queries = 1}, {.shared = 2}, {.scale = 1.5F}}) {
    const auto numbers = [&](int count, int rows, int period) {
      Floats made;
      for (int i = 0; i < count * rows * kDepth; ++i) made.push_back(number(i, period));
      return made;
    };
    const int own = kHeads / heads.shared;
    const Floats q = numbers(kHeads, heads.queries, 13);
    const Floats k = numbers(own, heads.keys, 17);
    const Floats v = numbers(own, heads.keys, 29);
    Floats wanted;
    for (int row = 0; row < kHeads * heads.queries; ++row) {
      const int first = row / heads.queries / heads.shared * heads.keys;
      std::vector<double> sums(kDepth);
      double total = 0;
      for (int key = first; key < first + heads.keys; ++key) {
        double score = 0;
        for (int i = 0; i < kDepth; ++i) score += q[row * kDepth + i] * k[key * kDepth + i];
        const double weight = std::exp(score * heads.scale);
        total += weight;
        for (int i = 0; i < kDepth; ++i) sums[i] += weight * v[key * kDepth + i];
      }
      for (const double sum : sums) wanted.push_back(static_cast<float>(sum / total));
    }
    const auto blob = built(heads);
    ASSERT_TRUE(uses(read_blob(blob)->engine, Library::kCudnn));
    for (const uint32_t choice : {0, 1}) {
      Handle engine(all_chosen(blob, choice));
      ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
      EXPECT_EQ(engine.log(), "");
      TestTensor queries({1, kHeads, heads.queries, kDepth}, q);
      TestTensor keys({1, own, heads.keys, kDepth}, k);
      TestTensor values({1, own, heads.keys, kDepth}, v);
      TestTensor result({1, kHeads, heads.queries, kDepth}, Floats(wanted.size()));
      const int before = driver.library_graphs;
      ASSERT_EQ(engine.run({&queries, &keys, &values, &result}), et::Error::Ok) << engine.log();
      // With three products, but that of one query.
      const int products = heads.queries > 1 ? 3 : 2;
      EXPECT_EQ(driver.library_graphs - before, choice == 0 ? 0 : products + 1);
      EXPECT_THAT(result.data(), testing::Pointwise(testing::FloatNear(1e-3F), wanted)) << choice;
    }
  }
}

// Scores that are masked, or more than scaled, stay with kernels.
TEST_F(CudaLibraryMatrices, OtherScoresAreNoneOfTheLibrarys) {
  for (const std::string op : {"Mul", "Add", "Tanh"}) {
    const auto made = read_blob(built(Heads{.op = op}))->engine;
    const bool attends = std::any_of(made.steps.begin(), made.steps.end(), [](const auto& step) {
      const auto* const graph = step.AsLibraryGraph();
      return graph != nullptr && graph->kind == table::LibraryGraphKind::Attention;
    });
    EXPECT_EQ(attends, op == "Mul") << op;
  }
}

}  // namespace
}  // namespace slipway::cuda::library_matrices
