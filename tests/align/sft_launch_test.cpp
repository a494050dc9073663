// fathom sft as a user runs it, alone and on several ranks.
#include <gmock/gmock.h>

#include <sstream>

#include "chat_run.h"
#include "support/compare.h"
#include "support/mpirun.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::HasSubstr;

std::vector<double> losses(const std::string& output) {
  std::istringstream lines(read_file(output + "/metrics.jsonl"));
  std::vector<double> values;
  for (std::string line; std::getline(lines, line);)
    if (const Json json = Json::parse(line); json.contains("loss")) values.push_back(json["loss"]);
  return values;
}

class SftProgram : public ::testing::Test {
 protected:
  std::string command(const std::string& out, const std::string& more = "", const std::string& task = "sft") const {
    std::string text = program() + " " + task;
    for (const auto& [key, value] : run_.flags(out))
      if (task == "sft" || key != "data.train") text += " --" + key + " '" + value + "'";
    return text + " " + more;
  }
  const ChatRun run_;
};

TEST_F(SftProgram, TrainsAndWritesAModelThatChats) {
  const Outcome run = run_shell(command("out", "--data.validation_fraction 0.1"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("finished after step 12"));
  EXPECT_THAT(run.out, HasSubstr("validation loss"));
  EXPECT_THAT(run.err, HasSubstr("40 rows, 40 pieces"));
  const Outcome chat = run_shell("echo q1 | " + program() + " chat " + run_.path("out/model") +
                                 " --threads 1 --greedy -n 4");
  EXPECT_EQ(chat.exit_code, 0) << chat.err;
}

TEST_F(SftProgram, ADryRunShowsAndTrainsNothing) {
  const Outcome run = run_shell(command("dry", "--dry-run --conversation 2"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Assistant:\u27e6 a1 a1<end>\u27e7"));
  EXPECT_THAT(run.err, HasSubstr("packed into"));
  EXPECT_FALSE(std::filesystem::exists(run_.path("dry")));
}

class OnRanks : public SftProgram, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, OnRanks, ::testing::Values("sft", "reward", "dpo"));

TEST_P(OnRanks, TrainAsOne) {
  FATHOM_NEEDS_MPIRUN();
  const std::string task = GetParam();
  std::string pairs;
  for (int i = 0; i < 30; ++i)
    pairs += Json{{"prompt", "q" + std::to_string(i)}, {"chosen", std::string(1 + i % 6, 'a')}, {"rejected", "zz"}}.dump() + "\n";
  const std::string file = run_.write("pairs.jsonl", pairs),
                    data = task == "sft" ? "" : " --data.train " + file + " ";
  const Outcome alone = run_shell(command("one", data, task));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  const std::vector<double> one = losses(run_.path("one"));
  ASSERT_EQ(one.size(), 12u);
  for (const auto& [out, more] : {std::pair("data", ""), std::pair("experts", "--parallel.expert 2")}) {
    const Outcome run = run_shell(mpirun(2, command(out, data + more, task)));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const std::vector<double> two = losses(run_.path(out));
    ASSERT_EQ(two.size(), one.size());
    for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(two[i], one[i], 2e-4 * one[i]) << out << " " << i;
  }
}

}  // namespace
}  // namespace fathom
