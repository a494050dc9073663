// Steps that go wrong in real runs: left out, or, when they come again and again, undone by going back to a
// checkpoint.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <utility>

#include "faulty_memory.h"
#include "support/captured_log.h"
#include "support/compare.h"
#include "train/training_checkpoint.h"

namespace fathom::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using Fault = FaultyMemory::Fault;

const Flags rolling = joined(FaultyMemory::flags(), {{"anomaly.skip", "true"}, {"anomaly.rollback", "3"}});

std::string bytes_of(const std::vector<TensorSlice>& slices) {
  std::string bytes;
  for (const TensorSlice& s : slices)
    bytes.append(static_cast<const char*>(s.values.data), static_cast<size_t>(s.values.bytes()));
  return bytes;
}

// Step to its line; one value a step, and none is a bare NaN.
std::map<int64_t, Json> steps_of(const std::string& output) {
  std::map<int64_t, Json> steps;
  const std::string text = read_file(output + "/metrics.jsonl");
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const Json line = parse_json(std::string_view(text).substr(at, end - at), output);
    if (!line.contains("loss")) continue;
    EXPECT_TRUE(steps.emplace(line.at("step"), line).second) << "step " << line.at("step") << " twice";
  }
  for (int64_t step = 1; step <= static_cast<int64_t>(steps.size()); ++step)
    EXPECT_TRUE(steps.contains(step)) << step;
  return steps;
}
Json json_of(const std::string& path) {
  return parse_json(read_file(path), path);
}

class RollBackTest : public ::testing::Test {
 protected:
  std::string output(const std::string& name) const { return small_.output(name); }
  std::string last(const std::string& name) const { return output(name) + "/step-00000020/"; }
  TrainOutcome run(const std::string& name, const FaultyMemory::Faults& faults, const Flags& flags = {},
                   bool resume = false) const {
    FaultyMemory memory(faults);
    return train(small_.recipe(name, joined(rolling, flags)), memory.options(resume));
  }
  // Of the checkpoint after 20 steps.
  void expect_the_same_end(const std::string& a, const std::string& b) const {
    for (const char* file : {"model.safetensors", "optimizer.safetensors"})
      EXPECT_TRUE(read_file(last(a) + file) == read_file(last(b) + file)) << file;
    for (const char* key : {"anomalies", "rollbacks", "windows_read"})
      EXPECT_EQ(json_of(last(a) + "trainer.json").at(key), json_of(last(b) + "trainer.json").at(key)) << key;
  }
  const SmallRun small_;
};

TEST_F(RollBackTest, AFaultOfOneStepIsSkippedAndLeavesNothingBehind) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::max()}) {
    Trainer trainer(small_.recipe("out", {{"anomaly.skip", "true"}}));
    for (int step = 1; step <= 5; ++step) trainer.step();
    const std::string weights = weight_bytes_of(trainer), state = bytes_of(trainer.optimizer().slices());
    float& element = fragile_element(trainer.model());
    const float right = std::exchange(element, value);
    const StepReport report = trainer.step();
    EXPECT_TRUE(report.skipped());
    EXPECT_EQ(report.anomaly, Anomaly::loss_not_finite);
    element = right;
    EXPECT_TRUE(weight_bytes_of(trainer) == weights);
    EXPECT_TRUE(bytes_of(trainer.optimizer().slices()) == state);
    EXPECT_EQ(trainer.state().step, 6) << "its data is not read again";
    EXPECT_EQ(trainer.step().anomaly, Anomaly::none);
    EXPECT_FALSE(weight_bytes_of(trainer) == weights);
  }
}

// Where all states are 0 every token is as likely as any other, and norms multiply gradients a thousandfold.
TEST_F(RollBackTest, AnInfiniteGradientIsSkippedToo) {
  Trainer trainer(small_.recipe("out", {{"anomaly.skip", "true"}}));
  for (int step = 1; step <= 5; ++step) trainer.step();
  const Tensor& embedding = trainer.model().weights.embed_tokens.data;
  std::fill_n(embedding.as<float>(), embedding.count(), 0.0F);
  fragile_element(trainer.model()) = 1e38F;
  const std::string weights = weight_bytes_of(trainer), state = bytes_of(trainer.optimizer().slices());
  const StepReport report = trainer.step();
  EXPECT_NEAR(report.loss, std::log(40), tolerance(DType::f32) * std::log(40));
  EXPECT_FALSE(std::isfinite(report.grad_norm));
  EXPECT_EQ(report.anomaly, Anomaly::norm_not_finite);
  EXPECT_TRUE(report.skipped());
  EXPECT_TRUE(weight_bytes_of(trainer) == weights);
  EXPECT_TRUE(bytes_of(trainer.optimizer().slices()) == state);
}

TEST_F(RollBackTest, ATransientFaultOfARunIsOneLineOfItsMetrics) {
  run("out", {{7, Fault::transient}});
  const std::map<int64_t, Json> steps = steps_of(output("out"));
  EXPECT_THAT(steps, SizeIs(20));
  for (const auto& [step, line] : steps) {
    EXPECT_EQ(line.at("loss").is_null(), step == 8) << step;
    EXPECT_EQ(line.contains("anomaly"), step == 8) << step;
    EXPECT_FALSE(line.contains("rollbacks"));
  }
  EXPECT_EQ(json_of(last("out") + "trainer.json").at("anomalies").at("skipped"), 1);
}

TEST_F(RollBackTest, RepeatedFaultsGoBackAndOn) {
  train(small_.recipe("plain"), {});
  const CapturedLog log;
  const TrainOutcome outcome = run("out", {{12, Fault::lasting}});
  EXPECT_EQ(outcome.ending, Ending::finished);
  EXPECT_TRUE(std::isfinite(outcome.loss));
  EXPECT_THAT(log.text(), HasSubstr("step 15: the loss is not finite; 3 of the last 64 steps were flagged, "
                                    "anomaly.rollback = 3 (not finite in its weights: model.norm.weight)"));
  EXPECT_THAT(log.text(), HasSubstr("back to the checkpoint of step 10, roll-back 1 of at most 3; the data "
                                    "that follows comes in another order"));
  const std::map<int64_t, Json> steps = steps_of(output("out")), plain = steps_of(output("plain"));
  EXPECT_THAT(steps, SizeIs(20));
  for (const auto& [step, line] : steps) {
    EXPECT_TRUE(line.at("loss").is_number());
    EXPECT_EQ(line.contains("rollbacks"), step > 10) << step;
    EXPECT_EQ(line.at("tokens"), plain.at(step).at("tokens"));
    EXPECT_EQ(line.at("loss") == plain.at(step).at("loss"), step <= 10) << "another order from there on";
  }
  const Json rollbacks = json_of(output("out") + "/run.json").at("rollbacks");
  ASSERT_THAT(rollbacks, SizeIs(1));
  EXPECT_EQ(rollbacks[0].at("step"), 15);
  EXPECT_EQ(rollbacks[0].at("to"), 10);
  EXPECT_THAT(rollbacks[0].at("why").get<std::string>(), HasSubstr("the loss is not finite"));
  EXPECT_FALSE(json_of(output("plain") + "/run.json").contains("rollbacks"));
}

// Another fault after it, in what was learnt since: the second time it is another order than the first.
TEST_F(RollBackTest, GoesBackAgain) {
  run("once", {{12, Fault::lasting}});
  run("twice", {{12, Fault::lasting}, {15, Fault::lasting}});  // steps 13 and 14, and 11 to 13 once more
  EXPECT_EQ(json_of(last("twice") + "trainer.json").at("rollbacks")[1].at("to"), 10);
  const std::map<int64_t, Json> once = steps_of(output("once")), twice = steps_of(output("twice"));
  EXPECT_THAT(twice, SizeIs(20));
  EXPECT_EQ(once.at(10).at("loss"), twice.at(10).at("loss"));
  EXPECT_NE(once.at(11).at("loss"), twice.at(11).at("loss"));
  EXPECT_EQ(twice.at(20).at("rollbacks"), 2);
}

// A process that ends between the roll-back and the next checkpoint has gone back all the same.
TEST_F(RollBackTest, AResumedRunHasGoneBackToo) {
  run("whole", {{12, Fault::lasting}});
  EXPECT_THAT(error_of([&] {
                run("parts", {{12, Fault::lasting}, {17, Fault::crash}});
              }),
              HasSubstr("the process crashes"));
  EXPECT_EQ(*latest_checkpoint(output("parts")), output("parts") + "/step-00000010");
  run("parts", {}, {{"run.stop_at", "15"}}, true);
  run("parts", {}, {}, true);
  expect_the_same_end("whole", "parts");
  EXPECT_THAT(steps_of(output("parts")), SizeIs(20));
  EXPECT_THAT(json_of(output("parts") + "/run.json").at("rollbacks"), SizeIs(1));
}

TEST_F(RollBackTest, ANewRunHasACheckpointToGoBackTo) {
  run("out", {{2, Fault::lasting}});
  const Json trainer = json_of(last("out") + "trainer.json");
  EXPECT_EQ(trainer.at("rollbacks")[0].at("to"), 0);
  EXPECT_THAT(trainer.at("rollbacks")[0].at("taken"), ElementsAre(0));
  EXPECT_THAT(steps_of(output("out")), SizeIs(20));
}

TEST_F(RollBackTest, ACheckpointWaitsUntilStepsAreGoodAgain) {
  FaultyMemory memory({{9, Fault::transient}});
  train(small_.recipe("out", joined(rolling, {{"checkpoint.keep", "9"}})), memory.options(false));
  std::set<std::string> checkpoints;
  for (const auto& entry : std::filesystem::directory_iterator(output("out")))
    if (entry.path().filename().string().starts_with("step-")) checkpoints.insert(entry.path().filename());
  EXPECT_THAT(checkpoints, ElementsAre("step-00000000", "step-00000005", "step-00000011", "step-00000015",
                                       "step-00000020"));
}

TEST_F(RollBackTest, WithoutSkippingTheFirstNumberThatIsNotFiniteGoesBack) {
  run("out", {{12, Fault::lasting}}, {{"anomaly.skip", "false"}});
  EXPECT_EQ(json_of(last("out") + "trainer.json").at("rollbacks")[0].at("step"), 13);
  for (const auto& [step, line] : steps_of(output("out"))) EXPECT_TRUE(line.at("loss").is_number()) << step;
}

// Every step above the median of the last ones is flagged: there is no end to it.
TEST_F(RollBackTest, OneTooManyEndsTheRunAndKeepsTheCheckpoint) {
  const Flags eager = {{"anomaly.window", "4"},        {"anomaly.deviations", "0"}, {"anomaly.skip", "true"},
                       {"anomaly.rollback", "2"},      {"checkpoint.every", "4"},   {"checkpoint.keep", "1"},
                       {"anomaly.most_rollbacks", "2"}};
  const std::string first = error_of([&] { train(small_.recipe("out", eager), {}); });
  EXPECT_THAT(first,
              AllOf(HasSubstr("; 2 of the last 4 steps were flagged, anomaly.rollback = 2; the run was "
                              "rolled back 2 times, all that anomaly.most_rollbacks = 2 allows"),
                    HasSubstr("the last checkpoint is the newest good state")));
  const std::string checkpoint = latest_checkpoint(output("out")).value_or("none");
  EXPECT_THAT(json_of(checkpoint + "/trainer.json").at("rollbacks"), SizeIs(2));
  EXPECT_THAT(json_of(output("out") + "/run.json").at("rollbacks"), SizeIs(2));
  EXPECT_EQ(error_of([&] { train(small_.recipe("out", eager), {.resume = true, .on_profile = {}}); }), first);
  EXPECT_EQ(latest_checkpoint(output("out")), checkpoint);
}

TEST_F(RollBackTest, NowhereToGoBackToIsAnError) {
  FaultyMemory memory({{2, Fault::lasting}});
  TrainOptions options = memory.options(false);
  options.write_samples = [&, faults = options.write_samples](Device& device, const Model& model,
                                                              const std::string& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(output("out")))
      if (entry.path().filename().string().starts_with("step-")) std::filesystem::remove_all(entry.path());
    return faults(device, model, folder);
  };
  EXPECT_EQ(error_of([&] { train(small_.recipe("out", rolling), options); }),
            output("out") + ": no whole checkpoint to go back to");
}

TEST_F(RollBackTest, OfAMixtureGoesOnInEachSource) {
  write_corpus(small_.path("b"), "train", 40, 4);
  const Flags mixture = {{"data.train", "[\"" + small_.path("data") + "\", \"" + small_.path("b") + "\"]"},
                         {"data.validation", small_.path("data")},
                         {"data.weights", "[1, 3]"}};
  run("whole", {{12, Fault::lasting}}, mixture);
  EXPECT_ANY_THROW(run("parts", {{12, Fault::lasting}, {16, Fault::crash}}, mixture));
  run("parts", {}, mixture, true);
  expect_the_same_end("whole", "parts");
  EXPECT_THAT(json_of(last("whole") + "trainer.json").at("rollbacks")[0].at("taken"), ElementsAre(10, 30));
}

TEST_F(RollBackTest, AListThatCannotBeIsAnErrorThatNamesTheFile) {
  const std::string path = run("out", {}, {{"run.stop_at", "5"}}).checkpoint + "/trainer.json";
  const auto error_with = [&](const Json& rollbacks) {
    Json trainer = json_of(path);
    trainer["rollbacks"] = rollbacks;
    write_file(path, trainer.dump());
    return error_of([&] { run("out", {}, {}, true); });
  };
  const Json good = {{"step", 4}, {"to", 3}, {"why", "x"}, {"taken", {12}}};
  for (const auto& [key, value] :
       {std::pair<const char*, Json>("to", 4), {"taken", Json::array()}, {"taken", {-1}}}) {
    Json bad = good;
    bad[key] = value;
    EXPECT_THAT(error_with(Json::array({bad})), HasSubstr(path + ": 'rollbacks' has one from step 4 to "));
  }
  EXPECT_THAT(error_with(Json::array({{{"step", 4}}})), HasSubstr(path + ": field 'to' is missing"));
  EXPECT_THAT(error_with({{"step", 4}}), HasSubstr(path + ": field 'rollbacks'"));
  EXPECT_EQ(error_with(Json::array({good})), "");
}

TEST_F(RollBackTest, SettingsThatCannotWorkAreNamed) {
  EXPECT_THAT(error_of([&] {
                small_.recipe("out", {{"anomaly.rollback", "65"}});
              }),
              HasSubstr("anomaly.rollback = 65 must be at most anomaly.window = 64"));
  run("out", {}, {{"run.stop_at", "5"}});
  EXPECT_THAT(error_of([&] {
                run("out", {}, {{"anomaly.rollback", "4"}}, true);
              }),
              HasSubstr("anomaly.rollback = 3, now 4"));
}

}  // namespace
}  // namespace fathom::testing
