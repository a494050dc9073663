#include "report/metrics_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MetricsLogTest : public ::testing::Test {
 protected:
  MetricsLog read(const std::string& text, int64_t buckets = 100) {
    write_file(path_, text);
    return read_metrics(path_, buckets);
  }
  TempDir dir_;
  const std::string path_ = dir_ / "metrics.jsonl";
};

std::vector<std::pair<int64_t, double>> points(const MetricsLog& log, const std::string& name) {
  std::vector<std::pair<int64_t, double>> points;
  for (const Series::Bucket& bucket : log.series.at(name).filled())
    points.emplace_back(bucket.step, bucket.last);
  return points;
}

using Points = std::vector<std::pair<int64_t, double>>;

TEST_F(MetricsLogTest, ValuesOfAllNamesAndALastLineThatIsHalfWritten) {
  const std::string whole =
      "{\"step\":1,\"time\":1000.5,\"loss\":5}\n"
      "{\"step\":2,\"time\":1002,\"loss\":4}\n"
      "{\"step\":2,\"time\":1003,\"validation_loss\":4.5}\n";
  for (const char* rest : {"", "{\"st", "{\"step\":3,\"time\":1004,\"loss\":3}", "\0\0"}) {
    const MetricsLog log = read(whole + rest);
    EXPECT_EQ(log.last_step, 2);
    EXPECT_EQ(log.start_time, 1000.5);
    EXPECT_EQ(points(log, "loss"), (Points{{1, 5}, {2, 4}}));
    EXPECT_EQ(points(log, "validation_loss"), (Points{{2, 4.5}}));
    EXPECT_EQ(points(log, "time"), (Points{{1, 0}, {2, 2.5}})) << "of one step's two the later";
    EXPECT_EQ(log.series.size(), 3u);
  }
}

TEST_F(MetricsLogTest, OneValueAStepAfterARollBack) {
  const auto line = [](int64_t step, int64_t loss) {
    return fmt::format("{{\"step\":{},\"time\":1,\"loss\":{}}}\n", step, loss);
  };
  const std::string text = line(1, 10) + line(2, 20) + line(3, 30) + line(4, 40) + line(2, 21) + line(3, 31);
  EXPECT_EQ(points(read(text), "loss"), (Points{{1, 10}, {2, 21}, {3, 31}}));
  const MetricsLog log = read(text, 1);  // in one bucket: what was replaced is not in its range either
  const auto bucket = log.series.at("loss").filled().at(0);
  EXPECT_EQ(bucket.low, 10);
  EXPECT_EQ(bucket.high, 31);
  EXPECT_EQ(bucket.last, 31);
  EXPECT_EQ(bucket.step, 3);
}

TEST_F(MetricsLogTest, BucketsHaveTheLowestTheHighestAndTheLastValue) {
  constexpr int64_t steps = 1003, buckets = 40;
  Rng rng(3);
  std::string text;
  std::vector<double> values;
  for (int64_t step = 1; step <= steps; ++step) {
    values.push_back(step == 700 ? 1e6 : static_cast<double>(rng.below(1000)));
    text += fmt::format("{{\"step\":{},\"time\":{},\"loss\":{}}}\n", step, step, values.back());
  }
  const auto filled = read(text, buckets).series.at("loss").filled();
  ASSERT_LE(filled.size(), static_cast<size_t>(buckets));
  ASSERT_GE(filled.size(), static_cast<size_t>(buckets / 2));
  size_t first = 0;
  double highest = 0;
  for (const Series::Bucket& bucket : filled) {
    const auto last = static_cast<size_t>(bucket.step - 1);
    const auto begin = values.begin() + static_cast<int64_t>(first), end = values.begin() + bucket.step;
    EXPECT_EQ(bucket.low, *std::min_element(begin, end));
    EXPECT_EQ(bucket.high, *std::max_element(begin, end));
    EXPECT_EQ(bucket.last, values[last]);
    first = last + 1;
    highest = std::max(highest, bucket.high);
  }
  EXPECT_EQ(first, values.size()) << "every step is in a bucket";
  EXPECT_EQ(highest, 1e6) << "a spike of one step is seen";
}

TEST_F(MetricsLogTest, ValuesThatAreNotFiniteAreCounted) {
  std::string text;
  for (int step = 1; step <= 200; ++step)
    text += fmt::format("{{\"step\":{},\"time\":1,\"loss\":{}}}\n", step, step % 2 ? "null" : "1");
  const MetricsLog log = read(text);
  const Series& loss = log.series.at("loss");
  EXPECT_EQ(loss.not_finite_count(), 100);
  EXPECT_EQ(loss.not_finite().front(), 1);
  EXPECT_EQ(loss.not_finite()[1], 3);
  EXPECT_LE(loss.not_finite().size(), 64u);
}

TEST_F(MetricsLogTest, StepsOfAnySize) {
  const MetricsLog log =
      read("{\"step\":0,\"time\":null,\"loss\":1}\n{\"step\":9007199254740992,\"time\":5,\"loss\":2}\n", 10);
  EXPECT_EQ(points(log, "loss"), (Points{{0, 1}, {9007199254740992, 2}}));
  EXPECT_EQ(log.start_time, 5) << "the first that is one";
}

TEST_F(MetricsLogTest, ErrorsNameTheFileAndTheLine) {
  const auto error = [&](const std::string& text) { return error_of([&] { read(text); }); };
  EXPECT_THAT(error(""), HasSubstr("metrics.jsonl: no whole line: the run has not finished a step"));
  EXPECT_THAT(error("{\"step\":1}"), HasSubstr("no whole line"));
  EXPECT_THAT(error("{\"step\":1}\nnonsense\n"), HasSubstr("metrics.jsonl:2: not valid JSON"));
  EXPECT_THAT(error("{\"step\":1}\n{\"step\":2,\"loss\":\"<\"}\n"),
              HasSubstr("metrics.jsonl:2: field 'loss'"));
  std::string names = "{\"step\":1";
  for (int i = 0; i < 1001; ++i) names += fmt::format(",\"n{}\":1", i);
  EXPECT_THAT(error(names + "}\n"), HasSubstr("more than 1000 names"));
  EXPECT_THAT(error_of([&] { read_metrics(dir_ / "none", 1); }), HasSubstr(dir_ / "none"));
}

}  // namespace
}  // namespace fathom
