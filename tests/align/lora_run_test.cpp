// Adapters that are trained in place of weights: what changes, what is saved, and that a run goes on as it
// was.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "chat_run.h"
#include "model/adapter_config.h"
#include "model/merge_adapters.h"
#include "model/scoring_pass.h"
#include "support/compare.h"
#include "train/training_checkpoint.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LoraRun : public ::testing::Test {
 protected:
  using Flags = std::vector<std::pair<std::string, std::string>>;
  static Flags with_rank(Flags more = {}) {
    more.insert(more.begin(), {{"lora.rank", "4"}, {"lora.alpha", "8"}, {"model.aux_loss_alpha", "0"}});
    return more;
  }
  Recipe recipe(const std::string& out, const Flags& more) const { return run_.recipe(out, more); }
  std::unique_ptr<Trainer> trainer(const std::string& out, const Flags& more = with_rank(),
                                   const std::string& checkpoint = {}) const {
    return std::make_unique<Trainer>(recipe(out, more), checkpoint, std::vector<std::string>(), nullptr,
                                     ChatRun::kind());
  }
  // The cross-entropy of a text's tokens.
  static std::vector<float> losses(Device& device, const Model& model) {
    HostBatch batch;
    batch.sequence_starts = {0, 24};
    std::vector<int32_t> targets;
    for (int32_t t = 0; t < 24; ++t)
      batch.tokens.push_back((7 * t * t + t) % 250), batch.positions.push_back(t),
          targets.push_back((5 * t) % 250);
    return ScoringPass(device, model, 24, "").losses(batch, targets);
  }

  const ChatRun run_;
};

// All of a model's own weights, adapters apart.
std::string base_of(const Model& model) {
  std::string all;
  for (const NamedWeight& w : list_weights(without_adapters(model.config), model.weights))
    all.append(static_cast<const char*>(w.weight.data.data), static_cast<size_t>(w.weight.data.bytes()));
  return all;
}

TEST_F(LoraRun, LearnsBesideWeightsThatStayAsTheyAre) {
  for (const char* precision : {"f32", "bf16"}) {
    const auto t = trainer(
        "out", with_rank({{"schedule.steps", "60"}, {"optimizer.lr", "2e-2"}, {"run.precision", precision}}));
    const Device device = Device::cpu(1);
    const double first = t->step().loss;
    double last = first;
    for (int i = 0; i < 59; ++i) last = t->step().loss;
    EXPECT_LT(last, 0.7 * first) << precision;
    EXPECT_EQ(base_of(t->model()), base_of(load_model(device, run_.path("model"), dtype_named(precision))))
        << precision;
  }
}

// A trained parameter takes its gradient, two moments and, of bf16, an exact copy; a frozen one nothing.
TEST_F(LoraRun, MemoryIsAsPlannedAndFrozenWeightsTakeTheirOwnAlone) {
  // Every row is as long as a sequence: BOS, "User: q\n\nAssistant: ", an answer, EOS.
  const std::string row = Json{{"prompt", "q"}, {"completion", std::string(75, 'a')}}.dump() + "\n";
  const std::string full = run_.write("full.jsonl", row + row + row + row);
  for (const char* precision : {"f32", "bf16"})
    for (const char* targets : {"all-linear", "o_proj"}) {
      const Flags flags =
          with_rank({{"lora.targets", targets}, {"run.precision", precision}, {"data.train", full}});
      const auto t = trainer("out", flags);
      t->step();
      const Config& c = t->model().config;
      const TrainingMemory planned = training_memory(recipe("out", flags), c), taken = t->memory_taken();
      EXPECT_EQ(planned.weights, taken.weights);
      EXPECT_EQ(planned.gradients, taken.gradients);
      EXPECT_EQ(planned.total() + Optimizer::bytes_beside, taken.total()) << precision << " " << targets;
      const int64_t trained = trained_parameter_count(c),
                    padding = 64 * 2 * static_cast<int64_t>(list_weights(c, {}).size());
      EXPECT_GT(trained, 0);
      EXPECT_GE(taken.gradients, 4 * trained);
      EXPECT_LE(taken.gradients, 4 * trained + padding);
      const int64_t state = (precision == std::string("bf16") ? 12 : 8) * trained;
      EXPECT_GE(taken.optimizer, state);
      EXPECT_LE(taken.optimizer, state + 3 * padding);
    }
}

TEST_F(LoraRun, AResumedRunIsBitForBitTheSame) {
  for (const char* precision : {"f32", "bf16"}) {
    const Flags flags = with_rank({{"run.precision", precision}, {"model.aux_loss_alpha", "0.01"}});
    const auto whole = trainer("whole", flags), part = trainer("out", flags);
    for (int i = 0; i < 7; ++i) whole->step();
    for (int i = 0; i < 3; ++i) part->step();
    const auto resumed = trainer("out", flags, part->save());
    for (int i = 0; i < 4; ++i) resumed->step();
    EXPECT_EQ(weights_of(*resumed), weights_of(*whole)) << precision;
    std::filesystem::remove_all(run_.path("out"));
  }
}

TEST_F(LoraRun, ARollBackIsToTheAdaptersOfThen) {
  const auto t = trainer("out", with_rank({{"anomaly.rollback", "1"}}));
  for (int i = 0; i < 3; ++i) t->step();
  t->save();
  const std::string then = weights_of(*t);
  t->step();
  const StepReport report = t->step();
  EXPECT_NE(weights_of(*t), then);
  t->roll_back(report);
  EXPECT_EQ(weights_of(*t), then);
}

TEST_F(LoraRun, ACheckpointHoldsWhatIsTrainedAlone) {
  const auto t = trainer("out");
  t->step();
  const std::string checkpoint = t->save();
  std::vector<std::string> files = names_in(checkpoint);
  std::sort(files.begin(), files.end());
  EXPECT_THAT(
      files, ElementsAre("adapter_config.json", "adapter_model.safetensors", "checksums.json",
                         "optimizer.safetensors", "tokenizer.json", "tokenizer_config.json", "trainer.json"));
  EXPECT_EQ(read_json(checkpoint + "/adapter_config.json")["base_model_name_or_path"], run_.path("model"));
  EXPECT_EQ(read_json(checkpoint + "/adapter_config.json")["r"], 4);
  EXPECT_EQ(latest_checkpoint(run_.path("out")), checkpoint);
  const CheckpointReader optimizer(checkpoint + "/optimizer.safetensors");
  for (const std::string& name : optimizer.names()) EXPECT_THAT(name, HasSubstr(".lora_"));
  // A damaged one is passed over.
  write_file(checkpoint + "/adapter_model.safetensors", "short");
  EXPECT_EQ(latest_checkpoint(run_.path("out")), std::nullopt);
}

TEST_F(LoraRun, ResumesBesideTheSameWeightsAlone) {
  const auto t = trainer("out");
  t->step();
  const std::string checkpoint = t->save();
  const auto error = [&](Flags flags) { return error_of([&] { trainer("out", flags, checkpoint); }); };
  EXPECT_EQ(error(with_rank()), "");
  EXPECT_THAT(error(with_rank({{"lora.rank", "5"}})),
              AllOf(HasSubstr("lora.rank = 4, now 5"), HasSubstr("cannot change")));
  EXPECT_THAT(error(with_rank({{"lora.targets", "o_proj"}})),
              HasSubstr("lora.targets = [\"all-linear\"], now [\"o_proj\"]"));
  EXPECT_THAT(error({{"model.aux_loss_alpha", "0"}}), HasSubstr("lora.rank = 4, now 0"));
  EXPECT_THAT(error(with_rank({{"model.aux_loss_alpha", "0.5"}})),
              HasSubstr("model.aux_loss_alpha = 0.0, now 0.5"));

  Config c = read_config(run_.path("model"));
  save_model(Device::cpu(1), run_.path("other"), random_model(c, DType::f32, 2));
  write_chat_tokenizer(run_.path("other"));
  EXPECT_THAT(
      error(with_rank({{"model.init_from", run_.path("other")}})),
      AllOf(HasSubstr("trained beside the weights "), HasSubstr("model.init_from = " + run_.path("other"))));
  // The same weights elsewhere are the same.
  std::filesystem::copy(run_.path("model"), run_.path("moved"), std::filesystem::copy_options::recursive);
  EXPECT_EQ(error(with_rank({{"model.init_from", run_.path("moved")}})), "");
  c.rms_norm_eps = 1e-5;
  write_file(run_.path("moved") + "/config.json", config_to_json(c, "float32").dump());
  EXPECT_THAT(error(with_rank({{"model.init_from", run_.path("moved")}})), HasSubstr("model.rms_norm_eps"));
}

// Gone on with in another run, beside the same weights; the first step is where the last run ended.
TEST_F(LoraRun, GoesOnFromAnAdapter) {
  const auto first = trainer("first");
  for (int i = 0; i < 5; ++i) first->step();
  const std::string adapter = first->save();
  const Flags flags = {{"lora.init_from", adapter}, {"model.aux_loss_alpha", "0"}};
  const auto second = trainer("second", flags);
  EXPECT_EQ(weights_of(*second), weights_of(*first));
  EXPECT_EQ(second->model().config.lora, first->model().config.lora);
  second->step();
  const std::string checkpoint = second->save();
  const auto resumed = trainer("second", flags, checkpoint);
  second->step(), resumed->step();
  EXPECT_EQ(weights_of(*resumed), weights_of(*second));
  first->step();
  std::filesystem::remove_all(run_.path("swapped"));
  std::filesystem::copy(first->save(), run_.path("swapped"));
  EXPECT_THAT(
      error_of([&] {
        trainer("second", {{"lora.init_from", run_.path("swapped")}, {"model.aux_loss_alpha", "0"}},
                checkpoint);
      }),
      AllOf(HasSubstr("trained from the adapter "), HasSubstr("lora.init_from = " + run_.path("swapped"))));
}

// The whole run: what it leaves is the trained model, beside the weights or merged into them.
TEST_F(LoraRun, LeavesAnAdapterThatIsTheTrainedModel) {
  const std::string jinja =
      "{% for m in messages %}[{{ m.role[0] }}]{{ m.content }}{{ eos_token }}{% endfor %}"
      "{% if add_generation_prompt %}[a]{% endif %}";
  const Recipe r = recipe("out", with_rank({{"chat.template", run_.write("t.jinja", jinja)},
                                            {"data.validation_fraction", "0.1"}}));
  const TrainOutcome outcome = train(r, {.kind = ChatRun::kind()});
  EXPECT_TRUE(is_adapter_folder(outcome.model));
  EXPECT_EQ(read_file(outcome.model + "/chat_template.jinja"), jinja);
  EXPECT_EQ(train(r, {.resume = true, .kind = ChatRun::kind()}).ending, Ending::nothing_to_do);

  // The next run has its template, as `fathom chat` has with it.
  EXPECT_EQ(trainer("next", {{"lora.init_from", outcome.model}})->data().tokenizer_folder, outcome.model);

  Device device = Device::cpu(1);
  Model beside = load_model(device, run_.path("model"), outcome.model, DType::f32);
  const std::vector<float> want = losses(device, beside),
                           base = losses(device, load_model(device, run_.path("model"), DType::f32));
  merge_adapters(device, beside);
  const std::vector<float> merged = losses(device, beside);
  double apart = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(merged[i], want[i], 1e-4 * std::abs(want[i]));
    apart = std::max(apart, static_cast<double>(std::abs(want[i] - base[i])));
  }
  EXPECT_GT(apart, 1e-2);
}

TEST_F(LoraRun, WhatCannotBeIsSaid) {
  const auto error = [&](const Flags& flags) { return error_of([&] { trainer("x", flags); }); };
  EXPECT_THAT(error({{"lora.rank", "-1"}}), AllOf(HasSubstr("lora.rank"), HasSubstr("-1")));
  EXPECT_THAT(error({{"lora.rank", "100000"}}), AllOf(HasSubstr("lora.rank"), HasSubstr("100000")));
  EXPECT_THAT(error({{"lora.rank", "0"}, {"lora.targets", "o_proj"}}),
              HasSubstr("lora.targets is given, and lora.rank is 0"));
  EXPECT_THAT(error({{"lora.alpha", "8"}}), HasSubstr("lora.alpha is given, and lora.rank is 0"));
  EXPECT_THAT(error(with_rank({{"lora.alpha", "0"}})), AllOf(HasSubstr("lora.alpha"), HasSubstr("got 0")));
  EXPECT_THAT(error(with_rank({{"lora.targets", "w_proj"}})),
              AllOf(HasSubstr("lora.targets: 'w_proj' names no projection"), HasSubstr("q_a_proj")));
  EXPECT_THAT(error(with_rank({{"lora.targets", "[]"}})), HasSubstr("lora.targets: no projection is named"));
  EXPECT_THAT(
      error(with_rank(
          {{"model.init_from", ""}, {"model.hidden_size", "32"}, {"data.tokenizer", run_.path("model")}})),
      HasSubstr("lora.rank = 4 needs model.init_from"));
  EXPECT_THAT(
      error(with_rank({{"model.rms_norm_eps", "1e-4"}})),
      AllOf(HasSubstr("model.rms_norm_eps is 0.0001"), HasSubstr("adapters stand beside a model as it is")));
  EXPECT_THAT(error(with_rank({{"model.bias_update_speed", "0.001"}})),
              HasSubstr("model.bias_update_speed = 0.001"));
  EXPECT_THAT(error(with_rank({{"lora.init_from", run_.path("model")}})),
              HasSubstr("lora.rank is that of the adapter"));
  EXPECT_THAT(error({{"lora.init_from", run_.path("model")}}), HasSubstr("adapter_config.json"));
  const std::vector<Setting> pretraining = {flag_setting("lora.rank", "4")};
  EXPECT_THAT(error_of([&] { read_recipe("", pretraining); }),
              HasSubstr("'lora.rank' is no setting of fathom train"));
  const auto t = trainer("out");
  const std::string adapter = t->save();
  EXPECT_THAT(
      error({{"model.init_from", adapter}}),
      AllOf(HasSubstr("holds an adapter"), HasSubstr("lora.init_from"), HasSubstr(run_.path("model"))));
}

// Fine-tuning, DPO and GRPO learn a language model's distribution, which a model that scores has not.
TEST_F(LoraRun, AScoreHeadIsNoLanguageModel) {
  const Config scoring = with_score_head(read_config(run_.path("model")), 1, chat_bos, "test");
  save_model(Device::cpu(1), run_.path("scoring"), random_model(scoring, DType::f32));
  write_chat_tokenizer(run_.path("scoring"));
  EXPECT_THAT(error_of([&] {
                trainer("x", {{"model.init_from", run_.path("scoring")}});
              }),
              HasSubstr("no language model"));
}

}  // namespace
}  // namespace fathom
