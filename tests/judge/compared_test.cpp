// Folders of fathom judge, as fathom compare pairs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/json.h"
#include "judge/judge_run.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

class ComparedJudgements : public JudgeRun {
 protected:
  Outcome compare(const std::string& more = "") const {
    return run_fathom("compare " + (dir_ / "a") + " " + (dir_ / "b") + " --threads 1 " + more);
  }
  static Json measure(const Json& comparison, const std::string& metric) {
    for (const Json& m : comparison["measures"])
      if (m["metric"] == metric && m["over"] == "items") return m;
    return nullptr;
  }
};

TEST_F(ComparedJudgements, RatingsArePairedByQuestion) {
  ASSERT_EQ(mt_bench("rate", "a/judged").exit_code, 0);
  ASSERT_EQ(mt_bench("one-mute", "b", "--attempts 1").exit_code, 0);
  const Outcome run = compare("--json");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json comparison = Json::parse(run.out), average = measure(comparison, "average");
  EXPECT_EQ(average["unit"], "rating");
  EXPECT_EQ(average["values"][0]["value"], scores("a/judged")["models"][0]["average"]["mean"]);
  EXPECT_EQ(average["values"][1]["items"], 5);
  // What one of them could not be rated in is left out of the pair; the other five are the same.
  EXPECT_EQ(average["paired_items"], 5);
  EXPECT_EQ(average["paired_clusters"], 3);
  EXPECT_EQ(average["pairs"][0][2]["difference"], 0);
  EXPECT_EQ(average["test"], "sign-flip permutation, exact");
  EXPECT_EQ(measure(comparison, "turn 1")["paired_clusters"].get<int>() +
                measure(comparison, "turn 2")["paired_clusters"].get<int>(),
            5);
  EXPECT_THAT(compare().out, HasSubstr("mt_bench, b: 1 judgements failed"));
}

TEST_F(ComparedJudgements, AnotherJudgeIsRefused) {
  ASSERT_EQ(mt_bench("rate", "a").exit_code, 0);
  ASSERT_EQ(mt_bench("rate", "b", "--judge-tokens 99").exit_code, 0);
  EXPECT_TRUE(
      is_one_clear_error(compare(), "mt_bench: a and b are not to be compared: judge_tokens is 2048 and 99"));
}

TEST_F(ComparedJudgements, WinsArePairedByInstruction) {
  ASSERT_EQ(alpaca("weighs", "a").exit_code, 0);
  write_file(dir_ / "outputs.json", alpaca_file("ours", "poor", 20));
  ASSERT_EQ(alpaca("weighs", "b").exit_code, 0);
  const Outcome run = compare("--json");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json wins = measure(Json::parse(run.out), "win_rate");
  EXPECT_EQ(wins["paired_items"], 20);
  const double difference = scores("b")["win_rate"].get<double>() - scores("a")["win_rate"].get<double>();
  EXPECT_LT(difference, 0);
  EXPECT_NEAR(wins["pairs"][0][2]["difference"].get<double>(), difference / 100, 1e-9);
  EXPECT_LT(wins["pairs"][0][2]["p"].get<double>(), 0.001);
}

}  // namespace
}  // namespace fathom::testing
