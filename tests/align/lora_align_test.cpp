// Preferences, rewards and GRPO with adapters: the policy's frozen weights are its reference's too.
#include <gmock/gmock.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "align/grpo_kind.h"
#include "align/preference_kind.h"
#include "align/reference_model.h"
#include "align/reward_model.h"
#include "chat_run.h"
#include "model/adapter_folder.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::HasSubstr;

class LoraAlign : public ::testing::Test {
 protected:
  using Flags = std::vector<std::pair<std::string, std::string>>;
  Recipe recipe(TrainingMethod method, const std::string& out, Flags more) const {
    Flags all = {{"data.train", run_.path(method == TrainingMethod::grpo ? "questions.jsonl" : "pairs.jsonl")},
                 {"data.sequence_length", "128"},
                 {"batch.sequences", "2"},
                 {"batch.micro_batch", "2"},
                 {"schedule.steps", "40"},
                 {"optimizer.weight_decay", "0"},
                 {"model.aux_loss_alpha", "0"}};
    if (method == TrainingMethod::grpo)
      more.insert(more.begin(),
                  {{"grpo.group", "16"},
                   {"batch.sequences", "4"},
                   {"grpo.max_tokens", "12"},
                   {"grpo.beta", "0.02"},
                   {"grpo.reward", R"([{name = "short", kind = "length", from = 0, to = 12}])"}});
    all.insert(all.end(), more.begin(), more.end());
    std::vector<Setting> settings;
    for (const auto& [key, text] : run_.flags(out, all)) settings.push_back(flag_setting(key, text));
    return read_recipe("", settings, method);
  }
  // Each with data of its own, which it needs as long as it lives.
  struct Running {
    PreferenceData preferences;
    std::optional<GrpoTask> questions;
    std::unique_ptr<Trainer> trainer;
  };
  std::unique_ptr<Running> start(TrainingMethod method, const std::string& out, const Flags& more,
                                 const std::string& checkpoint = {}) const {
    auto running = std::make_unique<Running>();
    const TrainingKind kind = method == TrainingMethod::grpo  ? grpo_kind(running->questions)
                              : method == TrainingMethod::sft ? ChatRun::kind()
                                                  : preference_kind(running->preferences);
    const Recipe r = method == TrainingMethod::sft ? run_.recipe(out, more) : recipe(method, out, more);
    running->trainer = std::make_unique<Trainer>(r, checkpoint, std::vector<std::string>(), nullptr, kind);
    return running;
  }
  // An adapter that fine-tuning made.
  std::string tuned() const {
    const auto sft = start(TrainingMethod::sft, "sft", new_adapters_);
    for (int i = 0; i < 6; ++i) sft->trainer->step();
    return sft->trainer->save();
  }
  static PackedBatch text() {
    PackedBatch packed;
    packed.batch.sequence_starts = {0, 20};
    for (int32_t t = 0; t < 20; ++t)
      packed.batch.tokens.push_back((9 * t * t + 3) % 250), packed.batch.positions.push_back(t),
          packed.targets.push_back((11 * t) % 250);
    return packed;
  }

  LoraAlign() {
    std::string pairs, questions;
    for (int i = 0; i < 24; ++i) {
      const std::string tail(static_cast<size_t>(1 + i % 7), static_cast<char>('b' + i % 5)),
          q = "q" + std::to_string(i);
      pairs += Json{{"prompt", q}, {"chosen", "aaa" + tail}, {"rejected", "zz" + tail}}.dump() + "\n";
      questions += Json{{"question", q}, {"answer", "a"}}.dump() + "\n";
    }
    run_.write("pairs.jsonl", pairs), run_.write("questions.jsonl", questions);
  }

  const ChatRun run_;
  const Flags new_adapters_ = {{"lora.rank", "8"}, {"lora.alpha", "8"}, {"optimizer.lr", "1e-2"}};
};

// Without a copy of the weights, and unmoved by what the policy learns.
TEST_F(LoraAlign, TheReferenceIsThePolicyAtItsStart) {
  const std::string adapter = tuned();
  for (const bool from_adapter : {false, true}) {
    const Flags flags =
        from_adapter ? Flags{{"lora.init_from", adapter}, {"optimizer.lr", "1e-2"}} : new_adapters_;
    const auto run = start(TrainingMethod::dpo, "dpo", flags);
    const Model& policy = run->trainer->model();
    Device device = Device::cpu(1);
    const Recipe r = recipe(TrainingMethod::dpo, "dpo", flags);
    ReferenceModel reference(device, policy, "", r);
    const std::vector<float> before = reference.log_probs(text());
    Model apart = from_adapter ? load_model(device, run_.path("model"), adapter, DType::f32)
                               : load_model(device, run_.path("model"), DType::f32);
    ScoringPass pass(device, apart, 64, "");
    const PackedBatch packed = text();
    std::vector<float> want = pass.losses(packed.batch, packed.targets);
    for (float& value : want) value = -value;
    EXPECT_EQ(before, want);
    const int64_t own = reference.weight_bytes();
    EXPECT_EQ(own > 0, from_adapter);
    EXPECT_LE(own, 5 * trained_parameter_count(policy.config) + (1 << 14));

    for (int i = 0; i < 4; ++i) run->trainer->step();
    EXPECT_EQ(reference.log_probs(text()), before);
    // A model that is named is held beside it.
    EXPECT_GT(ReferenceModel(device, policy, run_.path("model"), r).weight_bytes(), own);
  }
}

TEST_F(LoraAlign, DpoBeginsAtLn2AndLearns) {
  const std::string adapter = tuned();
  for (const Flags& flags : {new_adapters_, Flags{{"lora.init_from", adapter}, {"optimizer.lr", "1e-2"}}}) {
    const auto run = start(TrainingMethod::dpo, "dpo", flags);
    StepReport report = run->trainer->step();
    EXPECT_NEAR(report.loss, std::numbers::ln2, 2e-5);
    EXPECT_NEAR(mean(report, "margin"), 0, 1e-4);
    for (int i = 0; i < 39; ++i) report = run->trainer->step();
    EXPECT_LT(report.loss, 0.3);
    EXPECT_GT(mean(report, "accuracy"), 0.95);
  }
}

// The engine answers with the adapters of the moment, beside the weights.
TEST_F(LoraAlign, GrpoAnswersWithWhatItTrains) {
  const std::string adapter = tuned();
  for (const Flags& flags : {new_adapters_, Flags{{"lora.init_from", adapter}, {"optimizer.lr", "1e-2"}}}) {
    const auto run = start(TrainingMethod::grpo, "grpo", flags);
    StepReport report = run->trainer->step();
    double kl = mean(report, "kl");
    EXPECT_NEAR(kl, 0, 1e-5);
    std::vector<double> rewards = {mean(report, "reward")};
    for (int i = 0; i < 59; ++i) {
      report = run->trainer->step();
      rewards.push_back(mean(report, "reward"));
      if (report.tokens == 0) continue;  // all groups have equal rewards
      EXPECT_LT(mean(report, "engine_gap_largest"), 1e-3);
      kl = mean(report, "kl");
    }
    EXPECT_GT(kl, 1e-3);
    const auto sum = [](auto begin) { return std::accumulate(begin, begin + 10, 0.0); };
    EXPECT_GT(sum(rewards.end() - 10), sum(rewards.begin()) + 10 * 0.1);
  }
}

TEST_F(LoraAlign, AResumedRunIsBitForBitTheSame) {
  const std::string adapter = tuned();
  const Flags flags = {{"lora.init_from", adapter}, {"optimizer.lr", "1e-2"}};
  for (const TrainingMethod method : {TrainingMethod::dpo, TrainingMethod::grpo}) {
    const std::string name(name_of(method));
    const auto whole = start(method, name + "-whole", flags), part = start(method, name, flags);
    for (int i = 0; i < 5; ++i) whole->trainer->step();
    for (int i = 0; i < 2; ++i) part->trainer->step();
    const auto resumed = start(method, name, flags, part->trainer->save());
    for (int i = 0; i < 3; ++i) resumed->trainer->step();
    EXPECT_EQ(weights_of(*resumed->trainer), weights_of(*whole->trainer)) << name;
  }
}

// The score head is trained whole, and saved beside the adapters; it begins at zero, also beside an adapter
// of a language model.
TEST_F(LoraAlign, ARewardModelIsAnAdapterWithAHead) {
  const std::string adapter = tuned();
  for (const Flags& start_of :
       {new_adapters_, Flags{{"lora.init_from", adapter}, {"optimizer.lr", "1e-2"}}}) {
    PreferenceData data;
    const Recipe r = recipe(TrainingMethod::reward, start_of == new_adapters_ ? "new" : "tuned", start_of);
    const TrainOutcome outcome = train(r, {.kind = preference_kind(data)});
    EXPECT_LT(outcome.loss, 0.5);
    const CheckpointReader tensors(adapter_tensors(outcome.model));
    EXPECT_TRUE(tensors.entry("base_model.model.score.weight"));
    EXPECT_EQ(read_json(outcome.model + "/adapter_config.json")["modules_to_save"], Json({"score"}));

    Device device = Device::cpu(1);
    RewardModel model(device, run_.path("model"), outcome.model);
    std::vector<std::vector<int32_t>> texts;
    for (const char* answer : {"aaab", "zzb", "aaaccc", "zzccc"})
      texts.push_back(model.encode(chat_row({{"prompt", "q"}, {"completion", answer}}, "t")));
    const std::vector<double> scores = model.scores(texts);
    EXPECT_GT(scores[0], scores[1] + 0.5);
    EXPECT_GT(scores[2], scores[3] + 0.5);
    // It can be trained further, and is no policy.
    EXPECT_EQ(
        start(TrainingMethod::reward, "again", {{"lora.init_from", outcome.model}})->trainer->model().config.num_labels,
        1);
    EXPECT_THAT(error_of([&] {
                  start(TrainingMethod::dpo, "x", {{"lora.init_from", outcome.model}});
                }),
                HasSubstr("no language model"));
  }
  Device device = Device::cpu(1);
  EXPECT_THAT(error_of([&] { RewardModel(device, run_.path("model"), adapter); }),
              HasSubstr("no reward model"));
}

TEST_F(LoraAlign, ARewardModelBeginsAtLn2) {
  const auto run = start(TrainingMethod::reward, "rm", new_adapters_);
  EXPECT_NEAR(run->trainer->step().loss, std::numbers::ln2, 1e-6);
}

}  // namespace
}  // namespace fathom
