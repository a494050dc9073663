// What mpirun launches: training on 2, 3 and 4 ranks beside training alone (parallel_training_test.cpp), and
// the program itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "io/json.h"
#include "small_run.h"
#include "support/compare.h"
#include "support/mpirun.h"
#include "support/paths.h"
#include "train/training_run.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

class TrainingOnRanks : public ::testing::TestWithParam<int> {};

TEST_P(TrainingOnRanks, IsTrainingAlone) {
  FATHOM_NEEDS_MPIRUN();
  expect_passes_on(GetParam(), "train_ranks_test");
}

INSTANTIATE_TEST_SUITE_P(Of, TrainingOnRanks, ::testing::Values(2, 3, 4));

// Two stages of two expert groups of two ranks.
TEST(TrainOnRanks, EightMakeAllProducts) {
  FATHOM_NEEDS_MPIRUN();
  expect_passes_on(8, "train_ranks_test --gtest_filter='Overlap*:*InStages:*Continues*:*TakesTheMemory*'");
}

int lines_of(const std::string& path) {
  return count(read_file(path), "\n");
}

TEST(TrainOnRanks, WritesOnce) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  const Outcome run = run_shell(mpirun(2, fathom_train(small, "out")));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(count(run.out, "finished after step 20"), 1) << run.out;
  EXPECT_EQ(count(run.err, "step 20/20 "), 1) << run.err;
  EXPECT_EQ(count(run.err, "memory of each rank"), 1) << run.err;
  EXPECT_EQ(count(run.err, "the fullest: "), 1) << run.err;         // what was taken
  EXPECT_EQ(lines_of(small.output("out") + "/metrics.jsonl"), 21);  // and a validation
  EXPECT_TRUE(std::filesystem::exists(small.output("out") + "/model/model.safetensors"));
}

// One message, of the first rank that has something to say.
void expect_one_error(const std::string& command, const std::string& message) {
  const Outcome run = run_shell(command);
  EXPECT_NE(run.exit_code, 0);
  EXPECT_EQ(count(run.err, "fathom: "), 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr(message));
  EXPECT_EQ(run.out.find("finished"), std::string::npos) << run.out;
}

TEST(TrainOnRanks, AnotherRecipeOnOneRankIsNamed) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  expect_one_error(mpirun(2, fathom_train(small, "out")) + " : -n 1 " +
                       fathom_train(small, "out", {{"optimizer.lr", "0.5"}}),
                   "optimizer.lr is not the same on all ranks: '0.003' on rank 0, '0.5' on rank 2");
  EXPECT_FALSE(std::filesystem::exists(small.output("out")));
}

// As where hosts have different disks: a path that leads elsewhere on rank 1.
TEST(TrainOnRanks, OtherDataOnOneRankIsNamed) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  for (const auto& [folder, seed] : {std::pair("rank_0", 1), {"rank_1", 9}}) {
    std::filesystem::create_directories(small.path(folder));
    write_corpus(small.path(folder) + "/data", "train", 150, seed);
  }
  const auto in = [&](const char* folder) {
    return "sh -c \"cd '" + small.path(folder) + "' && exec " +
           fathom_train(small, "out", {{"data.train", "data"}}) + "\"";
  };
  expect_one_error(mpirun(1, in("rank_0")) + " : -n 1 " + in("rank_1"),
                   "the training data is not the same on all ranks: '");
}

TEST(TrainOnRanks, PlansThatCannotWorkAreRefused) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  expect_one_error(
      mpirun(3, fathom_train(small, "out", {{"parallel.pipeline", "2"}})),
      "parallel.pipeline = 2 and parallel.expert = 1 need a multiple of 2 ranks, and there are 3");
  expect_one_error(mpirun(3, fathom_train(small, "out", {{"parallel.expert", "3"}})),
                   "parallel.expert = 3 does not divide n_routed_experts = 8");
  EXPECT_FALSE(std::filesystem::exists(small.output("out") + "/metrics.jsonl"));
}

TEST(TrainOnRanks, APlanForSeveralOnOneProcessSaysHowToStart) {
  const SmallRun small;
  const Outcome run =
      run_shell(fathom_train(small, "out", {{"parallel.pipeline", "2"}, {"parallel.expert", "2"}}));
  EXPECT_TRUE(is_one_clear_error(run,
                                 "mpirun -n 4, or let it work alone with --parallel.pipeline 1 "
                                 "--parallel.expert 1"))
      << run.err;
}

TEST(TrainOnRanks, AnotherProgramOnOneRankIsNamed) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  const std::string other = small.path("fathom"), command = fathom_train(small, "out");
  std::filesystem::copy(program(), other);
  std::ofstream(other, std::ios::app) << "of another day";
  expect_one_error(mpirun(1, command) + " : -n 1 " + other + command.substr(program().size()),
                   "program is not the same on all ranks: '");
  EXPECT_FALSE(std::filesystem::exists(small.output("out")));
}

// As without the option --bind-to none.
TEST(TrainOnRanks, ThreadsBoundToOneProcessorAreWarnedOf) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  const Outcome run = run_shell(
      mpirun(2, "-x OMP_NUM_THREADS=2 taskset -c 0 " + fathom_train(small, "out", {{"run.stop_at", "1"}})));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(count(run.err, "each rank has 2 threads, but the launcher has bound it to 1 processor"), 1)
      << run.err;
}

// Its steps on two expert ranks are those of one process. Where no rank has the whole model there are no
// samples.
TEST(TrainOnRanks, TheQuickstartsRecipeRunsOnExpertRanks) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  const std::string config = source_dir() + "/recipes/quickstart.toml";
  const auto flags = [&](const std::string& name) {
    return Flags{
        {"schedule.steps", "3"}, {"schedule.warmup_steps", "1"},     {"run.log_every", "1"},
        {"run.threads", "1"},    {"data.train", small.path("data")}, {"run.output", small.output(name)}};
  };
  std::vector<Setting> settings;
  for (const auto& [key, value] : flags("alone")) settings.push_back(flag_setting(key, value));
  train(read_recipe(config, settings), {});
  std::string command = program() + " train --config " + config + " --parallel.expert 2";
  for (const auto& [key, value] : flags("ranks")) command += " --" + key + " '" + value + "'";
  const Outcome ranks = run_shell(mpirun(2, command));
  ASSERT_EQ(ranks.exit_code, 0) << ranks.err;
  EXPECT_EQ(count(ranks.err, "sample.prompts is ignored: no rank has the whole model"), 1) << ranks.err;
  EXPECT_EQ(count(ranks.out, "finished after step 3"), 1) << ranks.out;
  std::ifstream got(small.output("ranks") + "/metrics.jsonl"), want(small.output("alone") + "/metrics.jsonl");
  int lines = 0;
  for (std::string a, b; std::getline(want, b); ++lines) {
    ASSERT_TRUE(std::getline(got, a));
    const Json one = Json::parse(b), other = Json::parse(a);
    const char* name = one.contains("loss") ? "loss" : "validation_loss";
    const double loss = one.at(name);
    EXPECT_NEAR(other.at(name).get<double>(), loss, tolerance(DType::f32) * loss) << b;
  }
  EXPECT_EQ(lines, 4) << "three steps and a validation";
  for (const char* file : {"/model/model.safetensors", "/step-00000003/optimizer.safetensors"})
    EXPECT_EQ(std::filesystem::file_size(small.output("ranks") + file),
              std::filesystem::file_size(small.output("alone") + file));
}

// Those of the paper's two models, on two stages of two expert ranks as on one process: all that they say of
// experts, balance, dropping, the optimizer and the schedule, in a small model and few steps.
TEST(TrainOnRanks, ThePapersRecipesRun) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  const Flags smaller = {{"model.num_hidden_layers", "3"},
                         {"model.hidden_size", "32"},
                         {"model.intermediate_size", "48"},
                         {"model.num_attention_heads", "2"},
                         {"model.moe_intermediate_size", "8"},
                         {"model.kv_lora_rank", "16"},
                         {"model.num_key_value_heads", "2"},
                         {"model.vocab_size", "40"},
                         {"model.bos_token_id", "38"},
                         {"model.eos_token_id", "39"},
                         {"data.train", small.path("data")},
                         {"data.sequence_length", "24"},
                         {"batch.sequences", "4"},
                         {"run.stop_at", "2"},
                         {"run.log_every", "1"},
                         {"run.threads", "1"}};
  for (const char* name : {"deepseek-v2", "deepseek-v2-lite"}) {
    std::string train = program() + " train --config " + source_dir() + "/recipes/" + name + ".toml";
    for (const auto& [key, value] : smaller) train += " --" + key + " '" + value + "'";
    if (name == std::string("deepseek-v2")) train += " --batch.ramp_from 4";
    const auto output = [&](const char* ranks) { return small.output(std::string(name) + ranks); };
    const Outcome alone = run_shell(train + " --run.output " + output("-1"));
    ASSERT_EQ(alone.exit_code, 0) << alone.err;
    const Outcome ranks = run_shell(
        mpirun(4, train + " --parallel.pipeline 2 --parallel.expert 2 --run.output " + output("-4")));
    ASSERT_EQ(ranks.exit_code, 0) << ranks.err;
    std::ifstream got(output("-4") + "/metrics.jsonl"), want(output("-1") + "/metrics.jsonl");
    int steps = 0;
    for (std::string a, b; std::getline(want, b); ++steps) {
      ASSERT_TRUE(std::getline(got, a));
      const double loss = Json::parse(b).at("loss");
      EXPECT_NEAR(Json::parse(a).at("loss").get<double>(), loss, tolerance(DType::bf16) * loss);
    }
    EXPECT_EQ(steps, 2);
  }
}

}  // namespace
}  // namespace fathom::testing
