// What a run says of its steps: the line of progress, metrics.jsonl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/lines.h"
#include "small_run.h"
#include "support/captured_log.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Reports : public ::testing::Test {
 protected:
  void run(const Flags& flags) {
    const CapturedLog log;
    train(small_.recipe("out", joined({{"schedule.steps", "1"}, {"run.log_every", "1"}}, flags)), {});
    line_ = log.text();
    first_ = lines_of("metrics.jsonl").front();
  }
  std::vector<Json> lines_of(const std::string& name) const {
    std::vector<Json> lines;
    LineReader reader(small_.output("out") + "/" + name);
    for (std::string line; reader.next(line);) lines.push_back(parse_json(line, name));
    return lines;
  }

  SmallRun small_;
  std::string line_;
  Json first_;
};

TEST_F(Reports, ShowBalanceLossesOfGroupsWhereTheyAreUsed) {
  run({});
  EXPECT_THAT(line_, AllOf(HasSubstr("  balance 0.0"), Not(HasSubstr("+ device"))));
  EXPECT_TRUE(first_.contains("balance_loss"));
  EXPECT_FALSE(first_.contains("device_balance_loss"));
  EXPECT_FALSE(first_.contains("communication_balance_loss"));
  EXPECT_FALSE(first_.contains("dropped"));
}

TEST_F(Reports, ShowAllThreeBalanceLosses) {
  run(joined(grouped_experts,
             {{"model.device_balance_alpha", "0.05"}, {"model.communication_balance_alpha", "0.02"}}));
  EXPECT_THAT(
      line_, AllOf(HasSubstr("  balance 0.0"), HasSubstr(" + device 0."), HasSubstr(" + communication 0.0")));
  EXPECT_NEAR(first_["balance_loss"].get<double>(), 2 * 0.01, 0.01);  // two MoE layers, each about alpha
  EXPECT_NEAR(first_["device_balance_loss"].get<double>(), 2 * 0.05, 0.02);
  EXPECT_NEAR(first_["communication_balance_loss"].get<double>(), 2 * 0.02, 0.02);
}

TEST_F(Reports, ShowTheShareOfDroppedChoices) {
  run(joined(grouped_experts, {{"model.capacity_factor", "0.5"}}));
  EXPECT_THAT(line_, ::testing::ContainsRegex("  dropped [0-9]+\\.[0-9]%  "));
  EXPECT_GT(first_["dropped"].get<double>(), 0.2);
  EXPECT_LT(first_["dropped"].get<double>(), 0.6);
}

int64_t sum_of(const Json& counts) {
  int64_t sum = 0;
  for (const Json& count : counts) sum += count.get<int64_t>();
  return sum;
}

TEST_F(Reports, ShowTheLoadOfExpertsAndGroupsWhereAStepIsLogged) {
  run(joined(grouped_experts, {{"model.capacity_factor", "0.5"},
                               {"schedule.steps", "5"},
                               {"run.log_every", "2"}}));  // steps 2, 4 and the last one
  const std::vector<Json> lines = lines_of("expert_load.jsonl"), metrics = lines_of("metrics.jsonl");
  ASSERT_EQ(lines.size(), 3u);
  for (const Json& line : lines) {
    const auto step = line["step"].get<size_t>();
    EXPECT_EQ(line["moe_layers"], Json({1, 2}));
    int64_t dropped = 0;
    double busiest = 0, busiest_group = 0;
    for (size_t layer = 0; layer < 2; ++layer) {
      const Json &experts = line["expert_choices"][layer], &groups = line["group_choices"][layer],
                 &tokens = line["group_tokens"][layer];
      EXPECT_EQ(sum_of(experts), 4 * 24 * 2);  // the tokens of a step, each with two experts
      for (size_t d = 0; d < 4; ++d) {
        const int64_t choices = experts[2 * d].get<int64_t>() + experts[2 * d + 1].get<int64_t>();
        EXPECT_EQ(groups[d], choices);
        EXPECT_LE(tokens[d].get<int64_t>(), choices);
        EXPECT_GE(2 * tokens[d].get<int64_t>(), choices);
        busiest_group = std::max(busiest_group, static_cast<double>(choices) / 48);
      }
      for (const Json& choices : experts) busiest = std::max(busiest, choices.get<double>() / 24);
      dropped += line["dropped_choices"][layer].get<int64_t>();
    }
    const Json& of_step = metrics[step - 1];
    EXPECT_EQ(of_step["step"], step);
    EXPECT_EQ(of_step["expert_load"], busiest);
    EXPECT_EQ(of_step["group_load"], busiest_group);
    EXPECT_EQ(of_step["dropped"], static_cast<double>(dropped) / (2 * 4 * 24 * 2));
  }
  EXPECT_EQ(lines[0]["step"], 2);
  EXPECT_EQ(lines[2]["step"], 5);
}

}  // namespace
}  // namespace fathom
