#include "report/load_log.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <cmath>

#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string line(int64_t step, const std::string& choices = "[[4,2,0,2],[2,2,2,2]]") {
  return fmt::format("{{\"step\":{},\"time\":1.5,\"moe_layers\":[1,3],\"expert_choices\":{}}}\n", step,
                     choices);
}

class LoadLogTest : public ::testing::Test {
 protected:
  LoadLog read(const std::string& text, int64_t columns = 100, int64_t bytes = 1000) {
    write_file(path_, text);
    return read_load(path_, columns, bytes);
  }
  TempDir dir_;
  const std::string path_ = dir_ / "expert_load.jsonl";
};

double ratio_of(char code) {
  return code == 0 ? 0 : std::exp2((static_cast<uint8_t>(code) - 128) / 24.0);
}

TEST_F(LoadLogTest, CodesAreRatiosToTheAverage) {
  EXPECT_EQ(load_code(1), 128);
  EXPECT_EQ(load_code(2), 152);
  EXPECT_EQ(load_code(0), 0);
  EXPECT_EQ(load_code(1e-9), 1) << "little is not nothing";
  EXPECT_EQ(load_code(1e9), 255);
  EXPECT_EQ(load_code(std::nan("")), 0);
  const LoadLog log = read(line(10) + line(20, "[[0,0,0,0],[3,1,1,3]]") + "{\"step\":30");
  EXPECT_THAT(log.layers, ElementsAre(1, 3));
  EXPECT_EQ(log.experts, 4);
  EXPECT_THAT(log.steps, ElementsAre(10, 20));
  const double ratios[] = {2, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1.5, 0.5, 0.5, 1.5};
  ASSERT_THAT(log.codes, SizeIs(16));
  const double half_a_code = std::exp2(0.5 / 24);
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_LE(ratio_of(log.codes[i]), ratios[i] * half_a_code) << i;
    EXPECT_GE(ratio_of(log.codes[i]), ratios[i] / half_a_code) << i;
  }
}

TEST_F(LoadLogTest, ManyLinesAreThinnedEvenly) {
  std::string text;
  for (int64_t step = 1; step <= 1000; ++step) text += line(step);
  EXPECT_THAT(read(text, 4).steps, ElementsAre(1, 334, 667, 1000));
  EXPECT_THAT(read(text, 100, 8 * 3).steps, ElementsAre(1, 500, 1000)) << "8 bytes a step";
  EXPECT_THAT(read(text, 100, 1).steps, ElementsAre(1000)) << "one at least";
}

TEST_F(LoadLogTest, AStepThatIsWrittenAgain) {
  EXPECT_THAT(read(line(1) + line(2) + line(3) + line(2) + line(4)).steps, ElementsAre(1, 2, 4));
  const LoadLog log = read(line(1) + line(1, "[[8,0,0,0],[2,2,2,2]]"));
  EXPECT_THAT(log.steps, ElementsAre(1));
  EXPECT_EQ(static_cast<uint8_t>(log.codes[0]), load_code(4));
}

TEST_F(LoadLogTest, AFileOfManyLinesIsNotReadWhole) {
  const std::string padding(100'000, ' ');
  std::string text;
  for (int64_t step = 1; step <= 800; ++step)
    text += line(step).substr(0, line(step).size() - 1) + padding + "\n";
  ASSERT_GT(text.size(), size_t{64} << 20);
  const LoadLog log = read(text, 100, 1 << 20);
  EXPECT_THAT(log.steps, SizeIs(100));
  EXPECT_EQ(log.steps.front(), 1);
  EXPECT_GE(log.steps.back(), 798);
  for (size_t i = 1; i < log.steps.size(); ++i) EXPECT_GT(log.steps[i], log.steps[i - 1]);
}

TEST_F(LoadLogTest, ErrorsNameTheFileAndThePlace) {
  const auto error = [&](const std::string& text) { return error_of([&] { read(text); }); };
  EXPECT_THAT(error("nonsense\n"), HasSubstr("expert_load.jsonl at byte 1: not valid JSON"));
  EXPECT_THAT(error(line(1) + "{\"step\":2}\n"),
              HasSubstr(fmt::format("at byte {}: field 'moe_layers'", line(1).size() + 1)));
  EXPECT_THAT(error(line(1, "[[1,2]]")), HasSubstr("has 1 lists for 2 MoE layers"));
  EXPECT_THAT(error(line(1, "[[1,2],[1]]")), HasSubstr("has lists of 2 and of 1 experts"));
  EXPECT_THAT(error(line(1, "[[1,2],[1,-1]]")), HasSubstr("has -1: expected 0 to 2^40"));
  EXPECT_THAT(error(line(1, "[[1,2],[1,\"x\"]]")), HasSubstr("'expert_choices[1]' must be an integer"));
  EXPECT_THAT(error(line(1) + line(2, "[[1],[1]]")),
              HasSubstr("step 2 has 2 MoE layers of 1 experts, step 1 2 of 4"));
  EXPECT_THAT(read_load(dir_ / "none", 1, 1).steps, SizeIs(0));
  EXPECT_THAT(read("").steps, SizeIs(0));
}

}  // namespace
}  // namespace fathom
