#include <gtest/gtest.h>

#include <filesystem>

#include "io/file.h"
#include "io/json.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

TEST(Plan, SchedulesOfFourStages) {
  const Outcome run = run_fathom("plan --stages 4 --micro-batches 12 --json");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json j = Json::parse(run.out);
  ASSERT_EQ(j.size(), 3u);
  EXPECT_EQ(j[0]["schedule"], "1f1b");
  EXPECT_DOUBLE_EQ(j[0]["step"].get<double>(), 36 + 6);
  EXPECT_DOUBLE_EQ(j[1]["step"].get<double>(), 36 + 3);
  EXPECT_DOUBLE_EQ(j[2]["period"].get<double>(), 36);
}

TEST(Plan, DrawsASchedule) {
  const TempDir dir;
  const Outcome run =
      run_fathom("plan --stages 2 --micro-batches 3 --times 1,1.5,0.5 --times 2,2,1 --schedule '" +
                 (dir / "out.svg") + "' --kind zb-h1");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("zb-h1"), std::string::npos);
  EXPECT_NE(read_file(dir / "out.svg").find("zb-h1: 2 stages, 3 micro-batches"), std::string::npos);
}

TEST(Plan, BadInputIsOneClearError) {
  const std::string plan = "plan --stages 2 --micro-batches 3 ";
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan --stages 0 --micro-batches 3"), "--stages"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan --stages 2"), "--micro-batches"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--times 1,2"), "--times"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--times 1,2,0"), "--times"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--times 1,x,2"), "--times"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan --stages 3 --micro-batches 3 --times 1,1,1 --times 1,1,1"),
                                 "--times is given 2 times"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--send -1"), "--send"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--kept 2"), "--kept"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--kind gpipe"), "--kind"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--schedule /nonexistent/a.svg"), "/nonexistent/a.svg"));
}

}  // namespace
}  // namespace fathom::testing
