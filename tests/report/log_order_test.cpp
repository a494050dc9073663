#include "report/log_order.h"

#include <gmock/gmock.h>

namespace fathom {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> counting(const std::vector<int64_t>& steps) {
  LogOrder order;
  for (const int64_t step : steps) order.add(step);
  order.finish();
  std::vector<int64_t> lines;
  for (size_t i = 0; i < steps.size(); ++i)
    if (order.counts(static_cast<int64_t>(i), steps[i])) lines.push_back(static_cast<int64_t>(i));
  return lines;
}

TEST(LogOrder, WhatIsWrittenAgainReplacesAllThatCameAfter) {
  EXPECT_THAT(counting({1, 2, 3}), ElementsAre(0, 1, 2));
  EXPECT_THAT(counting({1, 2, 2, 3}), ElementsAre(0, 1, 2, 3)) << "two lines of one step: a validation, say";
  EXPECT_THAT(counting({1, 2, 3, 4, 3}), ElementsAre(0, 1, 4)) << "4 has gone, and has not come again";
  EXPECT_THAT(counting({1, 2, 3, 4, 5, 4, 5, 2, 3}), ElementsAre(0, 7, 8))
      << "twice, the second time further";
  EXPECT_THAT(counting({5, 6, 1, 2, 3, 2, 3, 4}), ElementsAre(2, 5, 6, 7));
  EXPECT_THAT(counting({}), ElementsAre());
}

TEST(LogOrder, KnowsTheRangeOfSteps) {
  LogOrder order;
  for (const int64_t step : {4, 9, 3, 7}) order.add(step);
  order.finish();
  EXPECT_EQ(order.lines(), 4);
  EXPECT_EQ(order.first_step(), 3);
  EXPECT_EQ(order.last_step(), 7);
}

}  // namespace
}  // namespace fathom
