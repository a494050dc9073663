// Several ranks train as one process does: the same losses, gradients, moments, weights and validation loss,
// to rounding, whatever a step is made of; and the same bits each time.
#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <thread>

#include "comm/launcher.h"
#include "io/content_hash.h"
#include "support/compare.h"
#include "support/gpus.h"
#include "train/on_ranks.h"

namespace fathom {
namespace {

using namespace testing;

const Flags dropping = joined(grouped_experts, {{"model.capacity_factor", "1"}});

// Everything that a step can be made of, at once. The learning rate is small: the corpus repeats itself, so
// that rounding that moves one choice of experts moves many.
const Flags everything = joined(dropping, {{"optimizer.lr", "3e-4"},
                                           {"model.aux_loss_alpha", "0.05"},
                                           {"model.device_balance_alpha", "0.05"},
                                           {"model.communication_balance_alpha", "0.02"},
                                           {"optimizer.clip", "0.5"},
                                           {"batch.sequences", "12"},
                                           {"batch.ramp_from", "3"},
                                           {"batch.ramp_tokens", "6000"},
                                           {"data.document_mask", "true"},
                                           {"run.recompute_layers", "1"},
                                           {"run.recompute_parts", R"(["norms", "swiglu"])"}});

class ParallelTraining : public ::testing::Test {
 protected:
  Recipe recipe(const Flags& flags) const { return small_.recipe("out", flags); }
  SmallRun small_;
};

std::string hash_of(const std::string& bytes) {
  return content_hash(std::as_bytes(std::span(bytes)));
}

struct Slack {
  double rounding;  // of sums in another order, relative
  // Of losses from the fourth step on, when rounding has moved choices of experts. Runs of one process go
  // apart as fast when their steps are cut into other micro-batches; what is made of counts or squares then
  // differs by tens of percent and says nothing.
  double losses;
};
constexpr Slack f32{1e-5, 1e-3}, bf16_noise{1e-2, 3e-2};

Recipe for_one(Recipe recipe) {
  recipe.parallel = {};
  if (recipe.run.device == "cuda") recipe.run.device += ":" + std::to_string(world().rank_on_host());
  return recipe;
}

// A run of this many steps beside the same one alone.
void expect_the_same_run(const Recipe& recipe, int steps, const Slack& slack = f32) {
  Trainer ranks(recipe, {}, {}, &world()), alone(for_one(recipe));
  for (int i = 0; i < steps; ++i) {
    const StepReport got = ranks.step(), want = alone.step();
    const auto expect_near = [&](double a, double b, double tolerance, const char* what) {
      EXPECT_NEAR(a, b, tolerance * std::abs(b)) << what << " of step " << i + 1;
    };
    EXPECT_EQ(got.tokens, want.tokens);
    EXPECT_EQ(got.targets, want.targets);
    EXPECT_EQ(got.lr, want.lr);
    expect_near(got.loss, want.loss, i < 3 ? slack.rounding : slack.losses, "loss");
    if (i >= 3) continue;
    const double others = 10 * slack.rounding;
    expect_near(got.grad_norm, want.grad_norm, others, "gradient norm");
    expect_near(got.balance.expert, want.balance.expert, others, "balance loss");
    expect_near(got.balance.device, want.balance.device, others, "device balance loss");
    expect_near(got.balance.communication, want.balance.communication, others, "communication balance loss");
    if (i > 0 || recipe.run.precision != DType::f32) continue;
    EXPECT_EQ(got.expert_load, want.expert_load);
    EXPECT_EQ(got.dropped, want.dropped);
  }
  const double want = alone.validation_loss().value();
  EXPECT_NEAR(ranks.validation_loss().value(), want, slack.losses * want);
  if (recipe.parallel.expert == 1 && recipe.parallel.pipeline == 1 && ranks.device().on_host())
    world().check_same("the weights", hash_of(weight_bytes_of(ranks)));
}

TEST_F(ParallelTraining, FollowsOneProcess) {
  expect_the_same_run(recipe({{"schedule.steps", "50"}}), 50);
}
TEST_F(ParallelTraining, FollowsItWithEverythingOn) {
  expect_the_same_run(recipe(joined(everything, {{"schedule.steps", "50"}})), 50);
}
TEST_F(ParallelTraining, FollowsItBalancedOverTheStep) {
  expect_the_same_run(recipe(joined(everything, {{"schedule.steps", "50"}, {"model.seq_aux", "false"}})), 50);
}
// One, three and five micro-batches for two to four ranks: shares are uneven, and ranks have none.
TEST_F(ParallelTraining, FollowsItWhereTheBatchDoesNotDivide) {
  for (const char* sequences : {"1", "3", "5"})
    for (const char* seq_aux : {"true", "false"})
      expect_the_same_run(
          recipe({{"batch.sequences", sequences}, {"batch.micro_batch", "1"}, {"model.seq_aux", seq_aux}}),
          5);
}
// A step that is skipped is so on every rank: its totals are the same there. Every step above the median is.
TEST_F(ParallelTraining, SkipsTheSameStepsOnAllRanks) {
  Trainer trainer(recipe({{"anomaly.skip", "true"},
                          {"anomaly.window", "4"},
                          {"anomaly.deviations", "0"},
                          {"anomaly.most_skipped", "100"}}),
                  {}, {}, &world());
  std::string skipped;
  for (int step = 1; step <= 20; ++step) {
    const std::string before = hash_of(weight_bytes_of(trainer));
    const bool this_one = trainer.step().skipped();
    skipped += this_one ? "yes " : "no ";
    EXPECT_EQ(hash_of(weight_bytes_of(trainer)) == before, this_one) << step;
  }
  EXPECT_NE(skipped.find("yes"), std::string::npos);
  world().check_same("which steps were skipped", skipped);
  world().check_same("the weights", hash_of(weight_bytes_of(trainer)));
}
TEST_F(ParallelTraining, FollowsItWithTiedEmbeddingsAndBiases) {
  expect_the_same_run(recipe({{"model.tie_word_embeddings", "true"},
                              {"model.attention_bias", "true"},
                              {"model.q_lora_rank", "0"},
                              {"model.vocab_size", "47"}}),
                      5);
}
TEST_F(ParallelTraining, FollowsItInBf16) {
  expect_the_same_run(recipe(joined(everything, {{"run.precision", "bf16"}})), 20, bf16_noise);
}

// Numbers of ranks that can share the eight experts: groups of ranks, with replicas or without.
std::vector<std::string> expert_ranks() {
  std::vector<std::string> numbers;
  for (const int n : {2, 4})
    if (world().size() % n == 0) numbers.push_back(std::to_string(n));
  return numbers;
}

TEST_F(ParallelTraining, FollowsItWithExpertsOnSeveralRanks) {
  for (const std::string& experts : expert_ranks())
    for (const char* seq_aux : {"true", "false"})
      expect_the_same_run(recipe(joined(everything, {{"schedule.steps", "50"},
                                                     {"parallel.expert", experts},
                                                     {"model.seq_aux", seq_aux}})),
                          50);
}
// Ranks without micro-batches make passes without tokens: others need their experts.
TEST_F(ParallelTraining, FollowsItWithExpertsOfRanksThatHaveNoTokens) {
  for (const std::string& experts : expert_ranks())
    for (const char* sequences : {"1", "3", "5"})
      expect_the_same_run(
          recipe({{"batch.sequences", sequences}, {"batch.micro_batch", "1"}, {"parallel.expert", experts}}),
          5);
}
TEST_F(ParallelTraining, FollowsItWithExpertsOnSeveralRanksInBf16) {
  for (const std::string& experts : expert_ranks())
    expect_the_same_run(recipe(joined(everything, {{"run.precision", "bf16"}, {"parallel.expert", experts}})),
                        10, bf16_noise);
}

// Two stages or three, alone and with experts on several ranks, as far as the ranks allow.
std::vector<Flags> staged_plans() {
  std::vector<Flags> plans;
  for (const int stages : {2, 3})
    for (const int experts : {1, 2})
      if (world().size() % (stages * experts) == 0)
        plans.push_back(
            {{"parallel.pipeline", std::to_string(stages)}, {"parallel.expert", std::to_string(experts)}});
  return plans;
}

TEST_F(ParallelTraining, FollowsItInStages) {
  for (const Flags& plan : staged_plans())
    for (const char* schedule : {"1f1b", "zb-h1", "zb-2p"})
      expect_the_same_run(recipe(joined(joined(everything, plan),
                                        {{"schedule.steps", "20"}, {"parallel.schedule", schedule}})),
                          20);
}
TEST_F(ParallelTraining, FollowsItInStagesBalancedOverTheStep) {
  for (const Flags& plan : staged_plans())
    expect_the_same_run(
        recipe(joined(joined(everything, plan), {{"schedule.steps", "50"}, {"model.seq_aux", "false"}})), 50);
}
TEST_F(ParallelTraining, FollowsItInStagesWhereTheBatchDoesNotDivide) {
  for (const Flags& plan : staged_plans())
    for (const char* sequences : {"1", "3", "5"})
      expect_the_same_run(recipe(joined(plan, {{"batch.sequences", sequences}, {"batch.micro_batch", "1"}})),
                          5);
}

// A checkpoint knows nothing of the ranks: continued by one process, and by the same ranks bit for bit.
TEST_F(ParallelTraining, ContinuesFromACheckpointOnAnyRanks) {
  std::vector<Flags> plans = staged_plans();
  for (const std::string& experts : expert_ranks()) plans.push_back({{"parallel.expert", experts}});
  plans.push_back({});
  for (size_t i = 0; i < plans.size(); ++i) {
    const std::string output = world().from_rank_0(small_.output("run" + std::to_string(i)));
    const Recipe run = recipe(joined(joined(everything, plans[i]), {{"run.output", output}}));
    Trainer unbroken(run, {}, {}, &world());
    for (int step = 0; step < 3; ++step) unbroken.step();
    const std::string checkpoint = unbroken.save();
    unbroken.wait_for_checkpoint();
    Trainer resumed(run, checkpoint, {}, &world()), alone(for_one(run), checkpoint);
    for (int step = 0; step < 2; ++step) {
      const StepReport want = unbroken.step(), got = resumed.step();
      EXPECT_EQ(got.loss, want.loss);
      EXPECT_EQ(got.grad_norm, want.grad_norm);
      EXPECT_NEAR(alone.step().loss, want.loss, f32.losses * want.loss);
    }
    world().from_rank_0("");  // the checkpoint is there until all have read it
  }
}

// Adam hides a gradient of the wrong scale; the first moments of the first step show it.
void expect_the_same_first_moments(const Recipe& recipe) {
  Trainer ranks(recipe, {}, {}, &world()), alone(for_one(recipe));
  ranks.step(), alone.step();
  std::map<std::string, ConstTensor> whole;
  for (const TensorSlice& slice : alone.optimizer().slices()) whole[slice.name] = slice.values;
  for (const TensorSlice& got : ranks.optimizer().slices()) {
    const ConstTensor all = whole.at(got.name), want = all.slice(got.first, got.values.count());
    double scale = 0, worst = 0;
    for (int64_t i = 0; i < all.count(); ++i) scale = std::max<double>(scale, std::abs(all.as<float>()[i]));
    for (int64_t i = 0; i < want.count(); ++i)
      worst = std::max<double>(worst, std::abs(got.values.as<float>()[i] - want.as<float>()[i]));
    const double slack = recipe.run.precision == DType::f32 ? 1e-4 : 0.1;
    EXPECT_LE(worst, slack * scale) << got.name;
  }
}

TEST_F(ParallelTraining, HasTheSameFirstMoments) {
  std::vector<std::string> plans = expert_ranks();
  plans.push_back("1");
  for (const std::string& experts : plans)
    for (const char* precision : {"f32", "bf16"})
      expect_the_same_first_moments(
          recipe(joined(everything, {{"run.precision", precision}, {"parallel.expert", experts}})));
}

// Whichever rank is late: in a step, or between the layers whose gradients travel.
TEST_F(ParallelTraining, RepeatsBitForBit) {
  Rng pauses(9, static_cast<uint64_t>(world().rank()));
  std::vector<std::string> plans = expert_ranks();
  plans.push_back("1");
  for (const std::string& experts : plans) {
    const Recipe run = recipe(joined(
        everything, {{"run.precision", "bf16"}, {"model.seq_aux", "false"}, {"parallel.expert", experts}}));
    Trainer once(run, {}, {}, &world()), again(run, {}, {}, &world());
    for (int i = 0; i < 5; ++i) {
      const StepReport want = once.step();
      std::this_thread::sleep_for(std::chrono::microseconds(pauses.below(4000)));
      const StepReport got = again.step();
      EXPECT_EQ(got.loss, want.loss);
      EXPECT_EQ(got.grad_norm, want.grad_norm);
    }
    EXPECT_EQ(weight_bytes_of(once), weight_bytes_of(again));
  }
}

// Each rank on a GPU of its own.
TEST_F(ParallelTraining, FollowsOneProcessOnCuda) {
  double missing = -static_cast<double>(FATHOM_WITH_NCCL && world().rank_on_host() < gpus());
  const Device host = Device::cpu(1);
  world().communicator(host).run(
      AllReduce{.x = Tensor(&missing, DType::f64, {1}), .reduction = Reduction::max});
  if (missing == 0)
    GTEST_SKIP() << "needs a GPU for each rank, and a build with NCCL: tools/gpu_check.sh, or mpirun "
                    "train_ranks_test, there";
  for (const std::string& experts : std::vector<std::string>{"1", std::to_string(world().size())})
    for (const char* seq_aux : {"true", "false"})
      expect_the_same_run(
          recipe(joined(everything,
                        {{"run.device", "cuda"}, {"model.seq_aux", seq_aux}, {"parallel.expert", experts}})),
          10, {1e-4, 1e-2});
}

TEST_F(ParallelTraining, StartsFromAModelFolderWithoutRounding) {
  if (world().rank() == 0) {
    Trainer first(recipe({}));
    first.step();
    first.save_model_to(small_.path("model"));
  }
  const std::string model = world().from_rank_0(small_.path("model"));
  const Recipe run = recipe({{"model.init_from", model}, {"run.precision", "bf16"}});
  Trainer ranks(run, {}, {}, &world()), alone(run);
  std::map<std::string, ConstTensor> whole;
  for (const TensorSlice& slice : alone.optimizer().slices()) whole[slice.name] = slice.values;
  for (const TensorSlice& got : ranks.optimizer().slices()) {
    const ConstTensor want = whole.at(got.name);
    for (int64_t i = 0; i < got.values.count(); ++i)
      ASSERT_EQ(got.values.as<float>()[i], want.as<float>()[got.first + i]) << got.name;
  }
  world().from_rank_0("");  // its folder is there until all have read it
}

// All ranks end with the message that names rank 1, which has a micro-batch: with its weight, or where that
// is finite and what it makes is not, with its loss.
TEST_F(ParallelTraining, NotANumberOnOneRankEndsAll) {
  for (const auto& [value, origin] :
       {std::pair(std::numeric_limits<float>::quiet_NaN(), "not finite in its weights: model.norm.weight"),
        {std::numeric_limits<float>::max(), "the loss of its micro-batches is "}}) {
    Trainer ranks(recipe({}), {}, {}, &world());
    ranks.step();
    if (world().rank() == 1) ranks.model().weights.norm.data.as<float>()[3] = value;
    const std::string error = error_of([&] { ranks.step(); });
    EXPECT_THAT(error, ::testing::StartsWith("step 2: the loss is "));
    EXPECT_THAT(error, ::testing::HasSubstr(fmt::format(" (rank 1 on {}: {}", host_name(), origin)));
  }
}

// Of a model that is large enough for padding not to count, whose tokens go to all experts, on every rank, in
// steps of 4, 8 and 32 micro-batches: a pipeline has as many in flight as it has stages.
void expect_the_memory_of_the_formula(const Recipe& recipe) {
  Trainer ranks(recipe, {}, {}, &world());
  for (int i = 0; i < 2; ++i) ranks.step();
  const TrainingMemory got = ranks.memory_taken(),
                       want = training_memory(recipe, ranks.model().config, ranks.ranks().plan(),
                                              world().rank());
  const auto expect_near = [](int64_t a, int64_t b, const char* what) {
    EXPECT_NEAR(static_cast<double>(a), static_cast<double>(b), 0.05 * static_cast<double>(b)) << what;
  };
  SCOPED_TRACE(fmt::format("{} x {}, {} sequences, rank {}", recipe.parallel.pipeline, recipe.parallel.expert,
                           recipe.batch.sequences, world().rank()));
  EXPECT_EQ(got.weights, want.weights);
  EXPECT_EQ(got.gradients, want.gradients);
  expect_near(got.optimizer, want.optimizer, "optimizer");
  expect_near(got.activations, want.activations, "activations");
  expect_near(got.total(), want.total(), "in all");
  expect_near(got.exchange, want.exchange, "tokens at experts");
}

const Flags larger = {{"model.hidden_size", "128"},
                      {"model.intermediate_size", "256"},
                      {"model.moe_intermediate_size", "64"},
                      {"model.num_experts_per_tok", "8"},
                      {"batch.sequences", "24"}};

TEST_F(ParallelTraining, TakesTheMemoryOfItsFormula) {
  for (const Flags& plan : {Flags{}, Flags{{"run.precision", "bf16"}}})
    expect_the_memory_of_the_formula(recipe(joined(larger, plan)));
  for (const std::string& experts : expert_ranks())
    expect_the_memory_of_the_formula(recipe(joined(larger, {{"parallel.expert", experts},
                                                            {"batch.sequences", "128"},
                                                            {"batch.micro_batch", "16"},
                                                            {"run.recompute_parts", R"(["swiglu"])"}})));
  for (const Flags& plan : staged_plans())
    for (const char* sequences : {"4", "8", "32"})
      expect_the_memory_of_the_formula(
          recipe(joined(joined(larger, plan), {{"batch.sequences", sequences}, {"batch.micro_batch", "1"}})));
}

// ZeRO-1: of what one process has, each rank its share.
TEST_F(ParallelTraining, SharesTheOptimizersState) {
  const Recipe run = recipe(joined(larger, {{"run.precision", "bf16"}}));
  Trainer ranks(run, {}, {}, &world());
  const double share =
      static_cast<double>(training_memory(run, ranks.model().config).optimizer) / world().size();
  EXPECT_NEAR(static_cast<double>(ranks.memory_taken().optimizer), share, 0.05 * share);
  int64_t state = 0;
  for (const TensorSlice& slice : ranks.optimizer().slices()) state += slice.values.bytes();
  EXPECT_NEAR(static_cast<double>(state), share, 0.05 * share);
}

}  // namespace
}  // namespace fathom
