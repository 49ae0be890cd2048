#include "compile/tune.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/piece_writer.h"
#include "base/processor.h"
#include "base/test_folder.h"
#include "pte/reader/reader.h"
#include "slipway/compile.h"
#include "slipway/module.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;

// A convolution, a pool, and what follows, with a batch of 1 to 8 that was 2 at the export.
constexpr const char* kProgram = SLIPWAY_TEST_DATA "/golden/conv_dyn.pt2";

class Tune : public testing::Test {
 protected:
  Tune() {
    auto program = Program::load(kProgram);
    EXPECT_TRUE(program.ok()) << program.error().message();
    program_.emplace(*std::move(program));
    options_.engines = *parse_engines("openvino,xnnpack");
    options_.tune = true;
    options_.on_warning = [this](const std::string& text) { warnings_.push_back(text); };
  }

  // Takes the times in the order in which the stopwatch is asked for them.
  Stopwatch give(std::vector<double> times) {
    return [this, times = std::move(times), next = size_t{0}](const auto& contenders) mutable {
      std::vector<Result<double>> given;
      for (const Contender& contender : contenders) {
        batches_.insert(std::get<Tensor>(contender.calls.at(0).second.at(0)).sizes().at(0));
        EXPECT_LT(next, times.size());
        given.emplace_back(next < times.size() ? times[next++] : 0);
      }
      return given;
    };
  }

  // The engines of the parts that were taken.
  std::vector<std::string> fastest(const Stopwatch& stopwatch) {
    tuning_.reset();
    auto built = build_fastest({{"forward", &*program_}}, options_, tuning_, stopwatch);
    if (!built.ok()) {
      ADD_FAILURE() << built.error().message();
      return {};
    }
    std::vector<std::string> engines;
    for (const auto& engine : built->methods().at(0).engines) {
      engines.push_back(engine.record.engine);
    }
    return engines;
  }

  std::string error(const Stopwatch& stopwatch) {
    const auto built = build_fastest({{"forward", &*program_}}, options_, tuning_, stopwatch);
    return built.ok() ? "" : built.error().message();
  }

  // Engines, and the reason of what was not timed.
  std::vector<std::pair<std::string, std::string>> cuts() const {
    std::vector<std::pair<std::string, std::string>> cuts;
    for (const engine::Cut& cut : tuning_->cuts) {
      std::string names;
      for (const std::string& name : cut.engines) names += (names.empty() ? "" : ",") + name;
      if (!cut.exclude_nodes.empty()) names += " but " + cut.exclude_nodes.front();
      cuts.emplace_back(names, cut.failure);
    }
    return cuts;
  }

  std::optional<Program> program_;
  CompileOptions options_;
  std::optional<engine::Tuning> tuning_;
  std::vector<std::string> warnings_;
  std::set<int64_t> batches_;  // that were timed
};

TEST_F(Tune, TakesTheEngineWithTheLeastTime) {
  EXPECT_THAT(fastest(give({5, 2})), ElementsAre("xnnpack"));
  EXPECT_EQ(tuning_->processor, processor_name());
  EXPECT_EQ(tuning_->cuts.front().milliseconds, 2);
  EXPECT_THAT(cuts(), ElementsAre(Pair("xnnpack", ""), Pair("openvino", ""),
                                  Pair("openvino,xnnpack", "the parts are those of openvino"),
                                  Pair("xnnpack,openvino", "the parts are those of xnnpack")));
  EXPECT_THAT(fastest(give({1, 2})), ElementsAre("openvino"));
  EXPECT_THAT(warnings_, ElementsAre());
}

TEST_F(Tune, TimesTheSizesOfTheExportOrThoseThatAreGiven) {
  fastest(give({1, 2}));
  EXPECT_THAT(batches_, ElementsAre(2));
  ASSERT_THAT(tuning_->sizes, SizeIs(1));
  const std::string symbol = tuning_->sizes.begin()->first;
  EXPECT_EQ(tuning_->sizes.at(symbol), 2);

  for (const std::string& name : {symbol, std::string("x.0")}) {
    batches_.clear();
    options_.tune_sizes = {{name, 5}};
    fastest(give({1, 2}));
    EXPECT_THAT(batches_, ElementsAre(5));
  }
  options_.bounds = {{"x.0", 4}};
  EXPECT_THAT(error(give({})), HasSubstr("is between 1 and 4, and can't be 5"));
  options_.tune_sizes = {{"y.0", 5}};
  EXPECT_THAT(error(give({})), HasSubstr("no size is called y.0; there are"));
}

// The first engine takes the first and the last part, the second one all of them.
TEST_F(Tune, MovesPartsForAsLongAsThatIsFaster) {
  options_.exclude_ops = {"openvino:aten.max_pool2d"};
  // Three whole cuts, and then each part of the best with the best before it.
  EXPECT_THAT(fastest(give({9, 8, 5, 5, 4, 4, 3})), ElementsAre("xnnpack"));
  EXPECT_THAT(fastest(give({9, 8, 5, 5, 4, 4, 4.5})), SizeIs(2));
  const auto tried = cuts();
  ASSERT_THAT(tried, SizeIs(6));
  EXPECT_THAT(tried[0].first, HasSubstr("openvino,xnnpack but openvino:"));
  // A part that the last engine has goes nowhere, nor does the only one.
  EXPECT_THAT(fastest(give({9, 1, 5})), ElementsAre("xnnpack"));
  // What is no better stays.
  EXPECT_THAT(fastest(give({9, 8, 5, 5, 4.99, 5, 5})), SizeIs(3));
}

TEST_F(Tune, KeepsTheChoiceInTheCache) {
  const TestFolder folder;
  options_.cache = folder / "cache";
  EXPECT_THAT(fastest(give({5, 2})), ElementsAre("xnnpack"));
  const auto first = cuts();
  EXPECT_THAT(fastest(give({})), ElementsAre("xnnpack"));
  EXPECT_EQ(cuts(), first);
  EXPECT_EQ(tuning_->cuts.at(1).milliseconds, 5);
  // Another question has an answer of its own.
  options_.tune_sizes = {{"x.0", 7}};
  EXPECT_THAT(fastest(give({2, 5})), ElementsAre("openvino"));
  options_.tune_sizes.clear();
  options_.exclude_ops = {"xnnpack:aten.max_pool2d"};
  EXPECT_THAT(fastest(give({1, 5, 3})), ElementsAre("openvino"));
}

TEST_F(Tune, SaysWhatCouldNotBeTimed) {
  const auto fails = [](size_t from) {
    return [from](const std::vector<Contender>& contenders) {
      std::vector<Result<double>> given;
      for (size_t i = 0; i < contenders.size(); ++i) {
        given.push_back(i < from ? Result<double>(1.0)
                                 : Error(ErrorCode::kUnavailable, "no such device"));
      }
      return given;
    };
  };
  EXPECT_THAT(fastest(fails(1)), ElementsAre("openvino"));
  EXPECT_EQ(cuts().at(1), std::pair(std::string("xnnpack"), std::string("no such device")));
  EXPECT_THAT(warnings_, ElementsAre());

  EXPECT_THAT(fastest(fails(0)), ElementsAre("openvino"));
  EXPECT_FALSE(tuning_);
  EXPECT_THAT(warnings_, ElementsAre(AllOf(HasSubstr("option 'tune' chose nothing"),
                                           HasSubstr("no such device"))));
}

// A cut that can't be built is no error as long as another can.
TEST_F(Tune, LeavesOutWhatCanNotBeBuilt) {
  options_.require_full = true;
  options_.exclude_ops = {"xnnpack:aten.max_pool2d"};
  EXPECT_THAT(fastest(give({5, 2, 9, 9, 9, 9, 9, 9, 9})), SizeIs(3));
  const auto tried = cuts();
  EXPECT_TRUE(std::any_of(tried.begin(), tried.end(), [](const auto& cut) {
    return cut.first == "xnnpack" && cut.second.find("max_pool2d") != std::string::npos;
  }));
  options_.exclude_ops = {"aten.max_pool2d"};
  EXPECT_THAT(error(give({})), HasSubstr("max_pool2d"));
}

// A mistake of the user's is no property of the engine that it names.
TEST_F(Tune, DoesNotChooseByMistakes) {
  options_.exclude_nodes = {"openvino:no_such_node"};
  EXPECT_THAT(error(give({})), HasSubstr("the program has no such node"));
}

TEST_F(Tune, IsInTheFileWhichSaysOnAnotherProcessorThatItWasMadeElsewhere) {
  const auto artefact = compile(*program_, options_);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  std::vector<std::byte> bytes = *artefact->to_memory();
  const auto file = pte::File::read({bytes, nullptr}, "tuned");
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_TRUE(file->manifest()->tuning);
  const engine::Tuning tuning = *file->manifest()->tuning;
  EXPECT_EQ(tuning.cuts.front().engines.front(),
            file->manifest()->methods.at(0).engines.at(0).record.engine);
  EXPECT_GT(tuning.cuts.front().milliseconds, 0);
  EXPECT_LE(tuning.cuts.at(0).milliseconds, tuning.cuts.at(1).milliseconds);

  const auto load = [&](const std::string& processor, bool is_required) {
    options_.tune = false;
    auto built = BuiltMethods::build({{"forward", &*program_}}, options_);
    engine::Tuning other = tuning;
    other.processor = processor;
    Artefact::Impl impl;
    EXPECT_TRUE(std::move(*built).finish(options_, other, impl).ok());
    const auto module =
        Module::load(*write_to_memory(impl.pieces), "tuned",
                     {.on_warning = options_.on_warning, .require_same_environment = is_required});
    return module->method()->prepare();
  };
  EXPECT_TRUE(load(processor_name(), true).ok());
  EXPECT_THAT(warnings_, ElementsAre());
  EXPECT_TRUE(load("Another, 64 threads", false).ok());
  EXPECT_THAT(warnings_, ElementsAre(AllOf(HasSubstr("chosen by their times on Another, 64"),
                                           HasSubstr(processor_name()), HasSubstr("'tune'"))));
  EXPECT_EQ(load("Another, 64 threads", true).error().code(), ErrorCode::kUnavailable);
}

TEST_F(Tune, IsRefusedWhereItHasNoEffect) {
  const auto refused = [&](const char* text) {
    const auto artefact = compile(*program_, options_);
    ASSERT_FALSE(artefact.ok());
    EXPECT_EQ(artefact.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(artefact.error().message(), HasSubstr(text));
  };
  options_.dump_partitions = "dump";
  refused("option 'dump_partitions' is of one build, but option 'tune' makes several");
  options_.dump_partitions.clear();
  options_.engines = *parse_engines("openvino");
  refused("option 'tune' chooses among 2 to 4 engines, but 1 is given");
  options_.output = Output::kEngine;
  refused("option 'tune' has no effect on a bare engine");
  options_.output = Output::kPte;
  options_.tune = false;
  options_.tune_sizes = {{"x.0", 2}};
  refused("option 'tune_sizes' is of use with option 'tune' alone");
}

}  // namespace
}  // namespace slipway
