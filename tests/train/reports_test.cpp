// What a run says of its steps: the line of progress, metrics.jsonl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    const std::string metrics = read_file(small_.output("out") + "/metrics.jsonl");
    first_ = parse_json(metrics.substr(0, metrics.find('\n')), "metrics.jsonl");
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

}  // namespace
}  // namespace fathom
