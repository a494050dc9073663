// The judge's report is believed only where it is whole and consistent.
#include "sandbox/judge_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fathom {
namespace {

using ::testing::HasSubstr;

constexpr const char* two = "{\"total\": 2}\n";
constexpr const char* both = "{\"passed\": 0}\n{\"passed\": 1}\n";

std::string text(std::initializer_list<const char*> parts) {
  std::string all;
  for (const char* part : parts) all += part;
  return all;
}

TEST(JudgeReport, AllPassedOnlyAfterTheEnd) {
  const JudgeReport report = parse_judge_report(text({two, both, "{\"done\": true}\n"}));
  EXPECT_TRUE(report.all_passed());
  EXPECT_EQ(report.passed, 2);
  EXPECT_EQ(report.total, 2);
  EXPECT_FALSE(parse_judge_report(text({two, both})).all_passed());
  EXPECT_FALSE(parse_judge_report(text({two, both, "{\"done\": true}"})).all_passed());  // no line end
  EXPECT_FALSE(parse_judge_report(text({two, both, "{\"done\": false}\n"})).all_passed());
}

TEST(JudgeReport, EachTestCountsOnce) {
  EXPECT_EQ(parse_judge_report(text({two, "{\"passed\": 1}\n{\"passed\": 1}\n{\"done\": true}\n"})).passed,
            1);
  const JudgeReport report = parse_judge_report(
      text({two, both, "{\"failed\": 1, \"text\": \"in the second round\"}\n{\"done\": true}\n"}));
  EXPECT_EQ(report.passed, 1);
  EXPECT_EQ(report.failure, "in the second round");
  EXPECT_FALSE(report.all_passed());
}

TEST(JudgeReport, NoTestsAreNoPass) {
  EXPECT_FALSE(parse_judge_report("").all_passed());
  EXPECT_FALSE(parse_judge_report("{\"done\": true}\n").all_passed());
  EXPECT_FALSE(parse_judge_report("{\"total\": 0}\n{\"done\": true}\n").all_passed());
}

TEST(JudgeReport, WhatMakesNoSenseEndsIt) {
  for (const char* wrong : {"{\"passed\": 2}\n", "{\"passed\": -1}\n", "{\"passed\": \"0\"}\n",
                            "{\"passed\": 0.5}\n", "nonsense\n", "[]\n", "{}\n", "\n", "{\"total\": -1}\n",
                            "{\"total\": 99999999999}\n", "{\"total\": 1}\n", "{\"total\": 2}\n"}) {
    const JudgeReport report = parse_judge_report(text({two, both, wrong, "{\"done\": true}\n"}));
    EXPECT_FALSE(report.all_passed()) << wrong;
  }
  EXPECT_FALSE(
      parse_judge_report(text({two, both, "{\"done\": true}\n", "{\"done\": true}\n"})).all_passed());
}

TEST(JudgeReport, WhyItEndedIsTold) {
  EXPECT_EQ(parse_judge_report(text({two, "{\"broken\": \"syntax\"}\n"})).broken, "syntax");
  JudgeReport report = parse_judge_report(text({two, "{\"error\": \"no f\"}\n"}));
  EXPECT_TRUE(report.program_error);
  EXPECT_EQ(report.failure, "no f");
  report = parse_judge_report(text({two, "{\"passed\": 0}\n{\"lost\": \"closed\"}\n"}));
  EXPECT_TRUE(report.lost);
  EXPECT_FALSE(report.program_error);
  EXPECT_THAT(report.failure, HasSubstr("closed"));
}

}  // namespace
}  // namespace fathom
