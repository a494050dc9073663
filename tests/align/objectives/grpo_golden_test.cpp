// GRPO in all its forms against TRL's trainer, and against autograd for the form that TRL has not.
#include "align/objectives/grpo.h"
#include "base/error.h"
#include "golden.h"
#include "grpo_answers.h"

namespace fathom::testing {
namespace {

GrpoOptions options_of(const Json& c) {
  GrpoOptions options{.clip_low = c.at("clip_low"),
                      .clip_high = c.at("clip_high"),
                      .beta = c.at("beta"),
                      .length = c.at("length")};
  for (GrpoForm form : grpo_forms)
    if (c.at("form") == name_of(form)) options.form = form;
  if (!c.at("ratio_limit").is_null()) options.ratio_limit = c.at("ratio_limit");
  return options;
}

std::vector<OwnedAnswer> answers_of(const Json& c) {
  std::vector<OwnedAnswer> answers;
  for (size_t i = 0; i < c.at("advantage").size(); ++i)
    answers.push_back({.advantage = c.at("advantage")[i].get<double>(),
                       .current = c.at("current")[i],
                       .old = c.at("on_policy") ? Doubles() : c.at("old")[i].get<Doubles>(),
                       .reference = c.at("reference")[i],
                       .mask = c.at("mask")[i]});
  return answers;
}

void compare_metrics(const Json& metrics, const GrpoTotals& totals, const std::string& title) {
  const auto near = [&](const char* name, double got) {
    EXPECT_NEAR(got, metrics.value(name, got), 1e-7) << title << ": " << name;
  };
  near("kl", totals.mean_kl());
  near("clip_ratio/low_mean", totals.low_share());
  near("clip_ratio/high_mean", totals.high_share());
}

TEST(GrpoGolden, AsTrlHasIt) {
  GrpoTotals all;
  for (const Json& c : golden_cases("grpo")) {
    const GrpoOptions options = options_of(c);
    std::vector<OwnedAnswer> answers = answers_of(c);
    const GrpoTotals totals = whole_step(answers, options);
    Doubles got, want;
    for (size_t i = 0; i < answers.size(); ++i)
      for (size_t t = 0; t < answers[i].dlogp.size(); ++t)
        got.push_back(answers[i].dlogp[t]), want.push_back(c.at("dlogp")[i][t]);
    const std::string title =
        fmt::format("{}, beta {}, clip {} {}, limit {}{}, against {}", name_of(options.form), options.beta,
                    options.clip_low, options.clip_high, options.ratio_limit,
                    c.at("on_policy") ? ", on policy" : "", c.at("by").get<std::string>());
    Parity parity(title);
    parity.expect("loss", {totals.loss}, {c.at("loss")});
    parity.expect("dlogp", got, want);
    compare_metrics(c.at("metrics"), totals, title);
    all.add(totals);
  }
  EXPECT_GT(all.clipped_low, 2);  // the cases reach both sides
  EXPECT_GT(all.clipped_high, 2);
}

// TRL divides by all answers, truncated ones too; here the step's counts say by what.
TEST(GrpoGolden, CountsGivenFromOutside) {
  for (const Json& c : golden_cases("grpo")) {
    const GrpoOptions options = options_of(c);
    std::vector<OwnedAnswer> answers = answers_of(c);
    const GrpoTotals whole = whole_step(answers, options);
    GrpoOptions masking = options;
    masking.mask_truncated = true;
    std::vector<OwnedAnswer> with_truncated = answers;
    with_truncated.push_back(answers[0]);
    with_truncated.back().truncated = true;
    EXPECT_EQ(whole_step(with_truncated, masking).loss, whole.loss);
    GrpoCounts as_many = grpo_counts(views(answers), options);
    as_many.add(as_many);
    EXPECT_NEAR(grpo_loss(views(with_truncated), masking, as_many).loss, whole.loss / 2, 1e-15);
  }
}

}  // namespace
}  // namespace fathom::testing
