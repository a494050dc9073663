// Training on conversations.
#include <gmock/gmock.h>

#include "chat_run.h"
#include "support/compare.h"
#include "train/training_checkpoint.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::HasSubstr;

class SftTest : public ::testing::Test {
 protected:
  using Flags = std::vector<std::pair<std::string, std::string>>;
  std::unique_ptr<Trainer> trainer(const std::string& out, const Flags& more = {},
                                   const std::string& checkpoint = {}) const {
    return std::make_unique<Trainer>(run_.recipe(out, more), checkpoint, std::vector<std::string>(), nullptr,
                                     ChatRun::kind());
  }
  // The loss and the gradient's norm of a step on these rows.
  std::pair<double, double> first_step(const std::string& rows, const Flags& more = {}) const {
    Flags flags = {{"data.train", run_.write("rows.jsonl", rows)},
                   {"batch.sequences", "1"},
                   {"batch.micro_batch", "1"},
                   {"model.aux_loss_alpha", "0"}};
    flags.insert(flags.end(), more.begin(), more.end());
    const StepReport report = trainer("step", flags)->step();
    return {report.loss, report.grad_norm};
  }

  const ChatRun run_;
};

std::string row(const std::string& question, const std::string& answer, double weight = 1) {
  return Json{{"prompt", question}, {"completion", answer}, {"weight", weight}}.dump() + "\n";
}

// What a row costs does not depend on what it is packed with: the mean is over all targets.
TEST_F(SftTest, PackedRowsDoNotSeeEachOther) {
  const std::string a = row("one", "alpha"), b = row("two!", "be");
  const auto [loss_a, norm_a] = first_step(a);
  const auto [loss_b, norm_b] = first_step(b);
  const auto [both, norm] = first_step(a + b);
  const double targets_a = 7, targets_b = 4;  // a blank, the letters, the end
  EXPECT_NEAR(both, (targets_a * loss_a + targets_b * loss_b) / (targets_a + targets_b), 1e-5);
  EXPECT_NE(loss_a, loss_b);
  EXPECT_GT(norm_a + norm_b, norm);
}

TEST_F(SftTest, WeightsAreShares) {
  const auto [loss_a, norm_a] = first_step(row("one", "alpha"));
  const auto [loss_b, norm_b] = first_step(row("two!", "be"));
  const auto [both, norm] = first_step(row("one", "alpha", 0.5) + row("two!", "be", 2));
  EXPECT_NEAR(both, (0.5 * 7 * loss_a + 2 * 4 * loss_b) / (0.5 * 7 + 2 * 4), 1e-5);
  // One weight for all changes nothing.
  const auto [same, same_norm] = first_step(row("one", "alpha", 3));
  EXPECT_NEAR(same, loss_a, 1e-6);
  EXPECT_NEAR(same_norm, norm_a, 1e-5 * norm_a);
}

TEST_F(SftTest, MicroBatchesAreOneStep) {
  const Flags one = {{"model.aux_loss_alpha", "0"}, {"batch.micro_batch", "4"}};
  const auto whole = trainer("whole", one), parts = trainer("parts", {{"model.aux_loss_alpha", "0"}, {"batch.micro_batch", "1"}});
  for (int i = 0; i < 3; ++i) {
    const StepReport a = whole->step(), b = parts->step();
    EXPECT_NEAR(a.loss, b.loss, 1e-5);
    EXPECT_EQ(a.targets, b.targets);
    EXPECT_NEAR(a.grad_norm, b.grad_norm, 1e-3 * a.grad_norm);
  }
}

TEST_F(SftTest, LearnsItsAnswers) {
  const auto t = trainer("out", {{"schedule.steps", "60"}, {"optimizer.lr", "1e-2"}});
  const double first = t->step().loss;
  double last = first;
  for (int i = 0; i < 59; ++i) last = t->step().loss;
  EXPECT_LT(last, 0.6 * first);
}

TEST_F(SftTest, AResumedRunIsBitForBitTheSame) {
  const auto whole = trainer("whole"), part = trainer("out");
  for (int i = 0; i < 7; ++i) whole->step();
  for (int i = 0; i < 3; ++i) part->step();
  const std::string checkpoint = part->save();
  const auto resumed = trainer("out", {}, checkpoint);
  for (int i = 0; i < 4; ++i) resumed->step();
  EXPECT_EQ(weights_of(*resumed), weights_of(*whole));
  EXPECT_THAT(error_of([&] { trainer("out", {{"data.train", run_.write("other.jsonl", conversations(39))}}, checkpoint); }),
              HasSubstr("made with training data of"));
}

// The whole run, with a template of its own, which goes with the model.
TEST_F(SftTest, TheModelKeepsItsChatTemplate) {
  const std::string jinja = "{% for m in messages %}[{{ m.role[0] }}]{{ m.content }}{{ eos_token }}{% endfor %}"
                            "{% if add_generation_prompt %}[a]{% endif %}";
  const Recipe recipe = run_.recipe("out", {{"chat.template", run_.write("t.jinja", jinja)},
                                            {"data.validation_fraction", "0.1"}});
  const TrainOutcome outcome = train(recipe, {.kind = ChatRun::kind()});
  ASSERT_TRUE(outcome.validation_loss.has_value());
  EXPECT_GT(*outcome.validation_loss, 0);
  EXPECT_EQ(read_file(outcome.model + "/chat_template.jinja"), jinja);
  EXPECT_EQ(read_file(outcome.checkpoint + "/chat_template.jinja"), jinja);
}

TEST_F(SftTest, KeysOfOtherTasksAreRefused) {
  const std::vector<Setting> sft = {flag_setting("sft.last_turn", "true")};
  EXPECT_THAT(error_of([&] { read_recipe("", sft); }), HasSubstr("'sft.last_turn' is no setting of fathom train"));
  EXPECT_THAT(error_of([&] { run_.recipe("out", {{"data.document_mask", "false"}}); }), HasSubstr("document_mask"));
  EXPECT_THAT(error_of([&] { run_.recipe("out", {{"parallel.pipeline", "2"}}); }), HasSubstr("parallel.pipeline = 2"));
  EXPECT_THAT(error_of([&] { run_.recipe("out", {{"chat.overlong", "wrap"}}); }), HasSubstr("expected drop or cut"));
}

}  // namespace
}  // namespace fathom
