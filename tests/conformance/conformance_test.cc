// Every engine on the table of operator cases: the results are PyTorch's.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "case_archive.h"
#include "compile/program_impl.h"
#include "difference.h"
#include "engines.h"
#include "passes/passes.h"
#include "pte/reader/reader.h"
#include "slipway/slipway.h"

namespace slipway::conformance {
namespace {

// Above the dynamic sizes of all cases.
constexpr int64_t kMaxSize = 64;

CaseArchive& table() {
  static Result<CaseArchive> archive = CaseArchive::open(SLIPWAY_CONFORMANCE_CASES);
  return archive.value();
}

// Through a file, as a user would load it.
Result<Program> load_program(const Case& test) {
  auto bytes = table().program(test);
  if (!bytes.ok()) return bytes.error();
  const std::string path = testing::TempDir() + std::to_string(getpid()) + "_" + test.name + ".pt2";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes->bytes.data()),
             static_cast<std::streamsize>(bytes->bytes.size()));
  auto program = Program::load(path);
  std::remove(path.c_str());  // It stays mapped.
  return program;
}

// What ran on one engine.
struct Coverage {
  size_t cases = 0;
  size_t compiled = 0;
  size_t on_engine = 0;  // cases of which at least one node ran there
  size_t nodes = 0;
  std::set<std::string> types;  // "aten.add.Tensor float"
  std::set<std::string>
      operators;  // that came before the engine at all, whether it took them or not
};

Coverage& coverage(const std::string& engine) {
  static std::map<std::string, Coverage> engines;
  return engines[engine];
}

// The operator with each kind of type among its operands and results.
void note_types(const ir::Node& node, std::set<std::string>& types) {
  const auto note = [&](const ir::Value* value) {
    if (!value || !value->is_tensor()) return;
    if (const char* kind = type_kind(value->dtype())) types.insert(node.op() + " " + kind);
  };
  for (const ir::Argument& argument : node.args()) ir::Graph::for_each_value(argument, note);
  for (const ir::Value* output : node.outputs()) note(output);
}

// Nodes are outside only where the case is known to leave some, for its reason.
void check_outside(const engine::ManifestMethod& method, const Engine& engine,
                   const std::string& test) {
  const std::string reason = find(*engine.leaves_outside, test).value_or("");
  std::string found;
  for (const auto& outside : method.outside) found += outside.op + ": " + outside.reason + "\n";
  if (reason.empty()) {
    EXPECT_EQ(found, "");
  } else {
    EXPECT_NE(found.find(reason), std::string::npos) << "outside: " << found;
    for (const auto& outside : method.outside) {
      EXPECT_TRUE(outside.reason.find(reason) != std::string::npos ||
                  outside.reason.find("known only") != std::string::npos)
          << outside.op << ": " << outside.reason;
    }
  }
}

// Notes the nodes that the file's engines run, as its manifest has them: "relu
// (aten.relu.default)".
void note_coverage(const Program& program, const std::vector<std::byte>& bytes, const Engine& of,
                   const std::string& test) {
  Coverage& coverage = conformance::coverage(of.name);
  ++coverage.compiled;
  const auto file = pte::File::read({bytes, nullptr}, "artefact");
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_TRUE(file->manifest());
  std::set<std::string> names;
  const engine::ManifestMethod& method = file->manifest()->methods.at(0);
  if (of.leaves_outside) check_outside(method, of, test);
  for (const auto& outside : method.outside) coverage.operators.insert(outside.op);
  for (const auto& engine : method.engines) {
    for (const std::string& node : engine.nodes) names.insert(node.substr(0, node.find(" (")));
  }
  if (!names.empty()) ++coverage.on_engine;
  coverage.nodes += names.size();
  // As the engine sees the program, which has no views in place and no operations without effect.
  ir::Program seen = Program::Impl::of(program).ir.clone();
  ASSERT_TRUE(passes::functionalize(seen).ok());
  ASSERT_TRUE(passes::remove_no_ops(seen).ok());
  for (const auto& node : seen.graph->nodes()) {
    if (!names.contains(node->name())) continue;
    coverage.operators.insert(node->op());
    note_types(*node, coverage.types);
  }
}

Result<Method> prepare(const Program& program, const Engine& engine, const std::string& name) {
  CompileOptions options;
  options.engines = *parse_engines(engine.name);
  for (EngineChoice& choice : options.engines) choice.options = engine.options;
  options.verify_passes = true;
  options.check = engine.check;
  for (const auto& [symbol, range] : Program::Impl::of(program).ir.ranges) {
    if (!range.max || *range.max > kMaxSize) options.bounds[symbol] = kMaxSize;
  }
  auto artefact = compile(program, options);
  if (!artefact.ok()) return artefact.error();
  auto bytes = artefact->to_memory();
  if (!bytes.ok()) return bytes.error();
  note_coverage(program, *bytes, engine, name);
  auto module = Module::load(std::move(*bytes), name, {.verify_checksums = true});
  if (!module.ok()) return module.error();
  auto method = module->method();
  if (!method.ok()) return method;
  if (const Status prepared = method->prepare(); !prepared.ok()) return prepared.error();
  return method;
}

struct Parameter {
  Engine engine;
  const Case* test;
};

void PrintTo(const Parameter& parameter, std::ostream* out) { *out << parameter.test->name; }

class ConformanceTest : public testing::TestWithParam<Parameter> {};

struct Outcome {
  std::optional<Error> error;
  std::vector<std::string> wrong;
  int nan_lost = 0;  // results that are PyTorch's but where it has NaN
};

void compare(const std::vector<Value>& found, const std::vector<Value>& expected, const Case& test,
             Outcome& outcome) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const auto problem = difference(found[i], expected[i], test.tolerance, false);
    if (!problem) continue;
    if (!difference(found[i], expected[i], test.tolerance, true)) ++outcome.nan_lost;
    outcome.wrong.push_back("output " + std::to_string(i) + ": " + *problem);
  }
}

// Compiles the case and runs each of its sets of inputs.
Outcome run(const Engine& engine, const Case& test) {
  Outcome outcome;
  auto program = load_program(test);
  auto method = program.ok() ? prepare(*program, engine, test.name) : program.error();
  if (!method.ok()) outcome.error = method.error();
  for (size_t i = 0; i < test.runs.size() && !outcome.error; ++i) {
    SCOPED_TRACE("inputs " + std::to_string(i));
    const auto inputs = table().values(test.runs[i]["inputs"]);
    const auto expected = table().values(test.runs[i]["outputs"]);
    EXPECT_TRUE(inputs.ok() && expected.ok());
    if (!inputs.ok() || !expected.ok()) break;
    const auto outputs = method->run(*inputs);
    if (outputs.ok()) {
      compare(*outputs, *expected, test, outcome);
    } else {
      outcome.error = outputs.error();
    }
  }
  return outcome;
}

std::string lines(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += text + "\n";
  return result;
}

TEST_P(ConformanceTest, GivesWhatPyTorchGives) {
  const auto& [engine, test] = GetParam();
  ++coverage(engine.name).cases;
  const Outcome outcome = run(engine, *test);
  if (const auto reason = find(engine.unsupported, test->name)) {
    ASSERT_TRUE(outcome.error) << "It runs, although it is said not to: " << *reason;
    EXPECT_NE(outcome.error->message().find(*reason), std::string::npos)
        << outcome.error->message();
    return;
  }
  ASSERT_FALSE(outcome.error) << outcome.error->message();
  if (const auto reason = find(engine.loses_nan, test->name)) {
    EXPECT_GT(outcome.nan_lost, 0) << "It keeps NaN, although it is said not to: " << *reason;
    EXPECT_EQ(static_cast<int>(outcome.wrong.size()), outcome.nan_lost) << lines(outcome.wrong);
    return;
  }
  if (const auto reason = find(engine.differs, test->name)) {
    EXPECT_FALSE(outcome.wrong.empty())
        << "It is right, although it is said not to be: " << *reason;
    return;
  }
  EXPECT_TRUE(outcome.wrong.empty()) << lines(outcome.wrong);
}

std::vector<Engine>& engines() {
  static std::vector<Engine> all;
  return all;
}

std::vector<Parameter> cases_of(const Engine& engine) {
  engines().push_back(engine);
  std::vector<Parameter> result;
  for (const Case& test : table().cases()) result.push_back({engine, &test});
  return result;
}

// What an engine says of cases, operators and types that are not there.
std::vector<std::string> stale_expectations(const Engine& engine) {
  std::vector<std::string> stale;
  std::set<std::string> cases;
  for (const Case& test : table().cases()) cases.insert(test.name);
  for (const auto& list : {engine.unsupported, engine.loses_nan, engine.differs,
                           engine.leaves_outside.value_or(std::span<const Exception>())}) {
    for (const Exception& each : list) {
      if (!cases.contains(std::string(each.test))) stale.emplace_back(each.test);
    }
  }
  std::set<std::string> declared;
  for (const std::string& pair : engine.declared()) {
    declared.insert(pair);
    declared.insert(pair.substr(0, pair.find(' ')));
  }
  for (const Exception& each : engine.without_case) {
    if (!declared.contains(std::string(each.test))) stale.emplace_back(each.test);
  }
  return stale;
}

// After all cases of an engine: each operator has run there with each type that the engine says it
// takes.
class CoverageCheck : public testing::Environment {
 public:
  void TearDown() override {
    for (const Engine& engine : engines()) {
      const Coverage& ran = coverage(engine.name);
      if (ran.cases != table().cases().size()) continue;
      std::printf("%s: %zu cases, %zu with %zu nodes on the engine, %zu on kernels alone\n",
                  engine.name.c_str(), ran.cases, ran.on_engine, ran.nodes,
                  ran.compiled - ran.on_engine);
      for (const std::string& stale : stale_expectations(engine)) {
        ADD_FAILURE() << engine.name << ": nothing is named " << stale;
      }
      for (const std::string& pair : engine.declared()) {
        // What is gone before engines are asked, or is never exported.
        if (!ran.operators.contains(pair.substr(0, pair.find(' ')))) continue;
        auto reason = find(engine.without_case, pair);
        if (!reason) reason = find(engine.without_case, pair.substr(0, pair.find(' ')));
        EXPECT_NE(ran.types.contains(pair), reason.has_value())
            << pair
            << (reason ? " runs, although it is said that no program leads to it: "
                       : " has no case in tests/conformance, and no reason in engines.cc why there "
                         "is none ")
            << reason.value_or("");
      }
    }
  }
};
const testing::Environment* const kCoverageCheck =
    testing::AddGlobalTestEnvironment(new CoverageCheck);

std::string name_of(const testing::TestParamInfo<Parameter>& info) { return info.param.test->name; }

INSTANTIATE_TEST_SUITE_P(None, ConformanceTest, testing::ValuesIn(cases_of(none())), name_of);
INSTANTIATE_TEST_SUITE_P(OpenVino, ConformanceTest, testing::ValuesIn(cases_of(openvino())),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Xnnpack, ConformanceTest, testing::ValuesIn(cases_of(xnnpack())), name_of);
INSTANTIATE_TEST_SUITE_P(Cuda, ConformanceTest, testing::ValuesIn(cases_of(cuda())), name_of);
INSTANTIATE_TEST_SUITE_P(StandIn, ConformanceTest, testing::ValuesIn(cases_of(stand_in())),
                         name_of);

}  // namespace
}  // namespace slipway::conformance
