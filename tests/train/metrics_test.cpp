#include "train/metrics.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <vector>

#include "io/file.h"
#include "io/json.h"
#include "io/lines.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Json> lines_of(const std::string& path) {
  std::vector<Json> lines;
  LineReader reader(path);
  for (std::string line; reader.next(line);) lines.push_back(parse_json(line, path));
  return lines;
}

std::vector<int64_t> steps_of(const std::string& path) {
  std::vector<int64_t> steps;
  for (const Json& line : lines_of(path)) steps.push_back(line.at("step"));
  return steps;
}

TEST(Metrics, OneObjectForEachStep) {
  TempDir dir;
  const std::string path = dir / "run/metrics.jsonl";
  Metrics metrics(dir / "run", -1);
  metrics.log(1, {{"loss", 9.25}, {"lr", 1e-5}});
  EXPECT_THAT(steps_of(path), ElementsAre(1)) << "each line is there at once";
  const double infinite = std::numeric_limits<double>::infinity();
  metrics.log(2, {{"loss", infinite}, {"a \"quoted\" name", std::numeric_limits<double>::quiet_NaN()}});
  metrics.flush();
  const std::vector<Json> lines = lines_of(path);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("loss"), 9.25);
  EXPECT_EQ(lines[0].at("lr"), 1e-5);
  EXPECT_GT(lines[0].at("time"), 1.7e9);
  EXPECT_TRUE(lines[1].at("loss").is_null());
  EXPECT_TRUE(lines[1].at("a \"quoted\" name").is_null());
}

TEST(Metrics, SamplesOfText) {
  TempDir dir;
  const std::string path = dir / "run/samples.jsonl";
  {
    Metrics metrics(dir / "run", -1);
    EXPECT_FALSE(std::filesystem::exists(path));
    metrics.log_sample(0, "a \"b\"", "line\nline\x01");
    metrics.log_sample(5, "a", "later");
  }
  const std::vector<Json> lines = lines_of(path);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("prompt"), "a \"b\"");
  EXPECT_EQ(lines[0].at("text"), "line\nline\x01");
  const Metrics again(dir / "run", 3);  // a run that goes on after step 3
  EXPECT_THAT(steps_of(path), ElementsAre(0));
}

// Two MoE layers of four experts in two groups.
ExpertLoad some_load() {
  return {.moe_layers = {1, 3},
          .E = 4,
          .D = 2,
          .experts = {0, 0, 0, 0, 5, 1, 2, 0, 0, 0, 0, 0, 2, 2, 2, 2},
          .sent = {0, 0, 4, 2, 0, 0, 3, 4},
          .dropped = {0, 2, 0, 4}};
}

// What a scalar_event holds for it.
std::string scalar_bytes(const std::string& tag, float value) {
  const NamedValue values[] = {{tag, value}};
  const std::string event = scalar_event(0, 0, values);
  return event.substr(event.size() - tag.size() - 5);
}

TEST(Metrics, LoadIsCountsInLinesAndRatiosInEvents) {
  TempDir dir;
  Metrics metrics(dir.path(), -1);
  metrics.log_load(20, some_load());
  EXPECT_THAT(steps_of(dir / "expert_load.jsonl"), ElementsAre(20)) << "each line is there at once";
  ExpertLoad without = some_load();
  without.dropped.clear(), without.D = 1, without.sent = {0, 6, 0, 4};
  metrics.log_load(30, without);
  metrics.flush();
  const std::vector<Json> lines = lines_of(dir / "expert_load.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_GT(lines[0].at("time"), 1.7e9);
  EXPECT_EQ(lines[0].at("moe_layers"), Json({1, 3}));
  EXPECT_EQ(lines[0].at("expert_choices"), Json({{5, 1, 2, 0}, {2, 2, 2, 2}}));
  EXPECT_EQ(lines[0].at("group_choices"), Json({{6, 2}, {4, 4}}));
  EXPECT_EQ(lines[0].at("group_tokens"), Json({{4, 2}, {3, 4}}));
  EXPECT_EQ(lines[0].at("dropped_choices"), Json({2, 4}));
  EXPECT_EQ(lines[1].at("group_tokens"), Json::parse("[[6],[4]]"));
  EXPECT_FALSE(lines[1].contains("dropped_choices"));
  EXPECT_THAT(steps_of(dir / "metrics.jsonl"), ElementsAre());

  std::string events;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
    if (entry.path().filename().string().starts_with("events.")) events += read_file(entry.path());
  for (const auto& [tag, value] : {std::pair("expert_load/layer_1", 2.5f),
                                   {"expert_load/layer_3", 1.0f},
                                   {"group_load/layer_1", 1.5f},
                                   {"group_tokens_load/layer_3", 8 / 7.0f},
                                   {"dropped/layer_1", 0.25f},
                                   {"dropped/layer_3", 0.5f}})
    EXPECT_THAT(events, HasSubstr(scalar_bytes(tag, value))) << tag;
  EXPECT_THAT(events, ::testing::Not(HasSubstr("layer_0")));
}

TEST(Metrics, ADenseModelHasNoLoad) {
  TempDir dir;
  Metrics(dir.path(), -1).log_load(1, {.D = 1, .sent = {0, 0}});
  EXPECT_FALSE(std::filesystem::exists(dir / "expert_load.jsonl"));
}

TEST(Metrics, ResumingDropsWhatCameLater) {
  TempDir dir;
  const std::string path = dir / "metrics.jsonl";
  {
    Metrics metrics(dir.path(), -1);
    for (int step = 1; step <= 5; ++step) metrics.log(step, {{"loss", 1.0 / step}});
    for (int step = 1; step <= 5; step += 2) metrics.log_load(step, some_load());
  }
  {
    Metrics metrics(dir.path(), 3);
    EXPECT_THAT(steps_of(path), ElementsAre(1, 2, 3));
    EXPECT_THAT(steps_of(dir / "expert_load.jsonl"), ElementsAre(1, 3));
    metrics.log(4, {{"loss", 0.5}});
  }
  EXPECT_THAT(steps_of(path), ElementsAre(1, 2, 3, 4));
  { Metrics metrics(dir.path(), 100); }
  EXPECT_THAT(steps_of(path), ElementsAre(1, 2, 3, 4));
  { Metrics metrics(dir.path(), 0); }
  EXPECT_THAT(steps_of(path), ElementsAre());
  { Metrics metrics(dir.path(), -1); }
  EXPECT_EQ(read_file(path), "");
}

TEST(Metrics, ATornLastLineIsDropped) {
  TempDir dir;
  const std::string path = dir / "metrics.jsonl", whole = "{\"step\":1}\n{\"step\":2}\n";
  for (const char* torn : {"{", "{\"step\":3", "{\"step\":3}"}) {
    write_file(path, whole + torn);
    { Metrics metrics(dir.path(), 9); }
    EXPECT_EQ(read_file(path), whole);
  }
  write_file(path, "{\"step\":1}\nnonsense\n");
  EXPECT_THAT(error_of([&] { Metrics(dir.path(), 9); }), HasSubstr("metrics.jsonl:2"));
  write_file(path, "{\"loss\":1}\n");
  EXPECT_THAT(error_of([&] { Metrics(dir.path(), 9); }), HasSubstr("metrics.jsonl:1: field 'step'"));
  EXPECT_THAT(error_of([] { Metrics("/dev/null/run", -1); }), HasSubstr("/dev/null/run"));
}

// TensorBoard itself reads a run that was resumed twice. FATHOM_PEER_PYTHON names a Python that has it.
TEST(Metrics, TensorBoardReadsThem) {
  const char* python = std::getenv("FATHOM_PEER_PYTHON");
  if (!python) GTEST_SKIP() << "FATHOM_PEER_PYTHON is not set";
  TempDir dir;
  const auto log = [](Metrics& metrics, int64_t first, int64_t last, double loss) {
    for (int64_t step = first; step <= last; ++step)
      metrics.log(step, {{"loss", loss + static_cast<double>(step)}, {"train/lr", 0.125}});
    if (first > 1) metrics.log_load(last, some_load());
  };
  {
    Metrics metrics(dir.path(), -1);
    log(metrics, 1, 10, 1000);
  }
  {
    Metrics metrics(dir.path(), 6);
    log(metrics, 7, 8, 2000);
  }
  Metrics metrics(dir.path(), 7);
  log(metrics, 8, 9, 3000);
  const std::string command = std::string(python) + " " + testing::source_dir() +
                              "/tests/train/tensorboard_check.py " + dir.path() + " 2>&1";
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_TRUE(pipe);
  std::array<char, 4096> part;
  while (const size_t n = std::fread(part.data(), 1, part.size(), pipe)) output.append(part.data(), n);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << output;
  ASSERT_EQ(status, 0) << output;
  const Json scalars = parse_json(std::string_view(output).substr(output.find('{')), output);
  const auto expected = [](int64_t step) { return step > 7 ? 3000 + step : step == 7 ? 2007 : 1000 + step; };
  const Json& loss = scalars.at("loss");
  ASSERT_EQ(loss.size(), 9u) << output;
  for (int64_t step = 1; step <= 9; ++step)
    EXPECT_EQ(loss[static_cast<size_t>(step - 1)], Json({step, expected(step)})) << output;
  EXPECT_EQ(scalars.at("train/lr").back(), Json({9, 0.125}));
  EXPECT_EQ(scalars.at("expert_load/layer_1"), Json::parse("[[9, 2.5]]")) << output;  // that of 8 came later
  EXPECT_EQ(scalars.at("dropped/layer_3"), Json::parse("[[9, 0.5]]")) << output;
}

}  // namespace
}  // namespace fathom
