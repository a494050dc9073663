// fathom grpo as a user runs it, and killed at any moment.
#include <gmock/gmock.h>

#include "chat_run.h"
#include "support/mpirun.h"
#include "support/program.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::HasSubstr;

class GrpoProgram : public ::testing::Test {
 protected:
  using Keys = std::map<std::string, std::string>;
  std::string command(const std::string& out, const std::string& more = "", const Keys& other = {}) const {
    std::string questions;
    for (int i = 0; i < 12; ++i) questions += Json{{"question", "q" + std::to_string(i)}}.dump() + "\n";
    const std::vector<std::pair<std::string, std::string>> keys = run_.flags(
        out, {{"data.train", run_.write("questions.jsonl", questions)}, {"data.sequence_length", "64"}, {"schedule.steps", "8"},
              {"batch.micro_batch", "4"}, {"grpo.group", "4"}, {"grpo.max_tokens", "10"}, {"grpo.minibatches", "2"},
              {"checkpoint.every", "1"}, {"grpo.reward", R"([{name = "short", kind = "length", from = 0, to = 10}])"}});
    Keys last;  // a key given twice counts once
    for (const auto& [key, value] : keys) last[key] = value;
    for (const auto& [key, value] : other) last[key] = value;
    std::string text = program() + " grpo";
    for (const auto& [key, value] : last) text += " --" + key + " '" + value + "'";
    return text + " " + more;
  }
  const ChatRun run_;
};

TEST_F(GrpoProgram, KilledAtAnyMomentItEndsAsUnbroken) {
  const Outcome whole = run_shell(command("whole"));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("finished after step 8"));
  const std::string expected = read_file(run_.path("whole/model/model.safetensors"));
  for (const char* seconds : {"0.3", "0.6", "1.0"}) {
    const std::string out = "killed_" + std::string(seconds), folder = run_.path(out);
    run_shell("timeout -s KILL " + std::string(seconds) + " " + command(out));
    const Outcome rest = run_shell("if ls -d " + folder + "/step-* > /dev/null 2>&1; then " + command(out, "--resume") +
                                   "; else " + command(out) + "; fi");
    ASSERT_EQ(rest.exit_code, 0) << rest.err;
    EXPECT_EQ(read_file(folder + "/model/model.safetensors"), expected) << seconds;
  }
}

// Rollouts that take a minute: the run ends long before the one that is under way.
TEST_F(GrpoProgram, CtrlCEndsARolloutAndCostsNothingBefore) {
  const Keys slow = {{"grpo.max_tokens", "40"}, {"grpo.group", "4096"}, {"grpo.sequences_at_once", "1"}};
  const Outcome stopped = run_shell("timeout --foreground -k 20 -s INT 2 " + command("slow", "", slow));
  EXPECT_THAT(stopped.out, HasSubstr("interrupted after step 0")) << stopped.out << stopped.err;
  EXPECT_EQ(stopped.exit_code, 124) << "not killed";
  EXPECT_FALSE(std::filesystem::exists(run_.path("slow/model")));
}

TEST_F(GrpoProgram, IsOneProcess) {
  FATHOM_NEEDS_MPIRUN();
  const Outcome run = run_shell(mpirun(2, command("ranks")));
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("fathom grpo runs as one process"));
}

}  // namespace
}  // namespace fathom
