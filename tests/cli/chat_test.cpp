// fathom chat as a user runs it, on a random model over bytes.
#include <gmock/gmock.h>

#include "io/json.h"
#include "model/model_folder.h"
#include "support/byte_tokenizer.h"
#include "support/program.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

class ChatTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new TempDir;
    Config c = v2_like();
    c.vocab_size = 261, c.max_position_embeddings = 200'000, c.bos_token_id = 0, c.eos_token_ids = {256};
    save_model(Device::cpu(1), *dir_ / "model", random_model(c, DType::f32));
    write_file(*dir_ / "model/tokenizer.json", byte_tokenizer_json().dump());
  }
  static void TearDownTestSuite() { delete std::exchange(dir_, nullptr); }

  static std::string model() { return *dir_ / "model"; }
  static Outcome chat(const std::string& input, const std::string& arguments) {
    write_file(*dir_ / "input", input);
    return run_fathom("chat " + model() + " --threads 1 --greedy " + arguments + " < " + (*dir_ / "input"));
  }
  static Json saved(const std::string& name) { return read_json(*dir_ / name)["messages"]; }

  static inline TempDir* dir_ = nullptr;
};

TEST_F(ChatTest, KeepsTheConversation) {
  const Outcome run =
      chat("Hello\n\"\"\"two\nlines\"\"\"\nbroken \\\nline\n/save " + (*dir_ / "all") + "\n/undo\n/save " +
               (*dir_ / "two") + "\n/clear\n/save " + (*dir_ / "none") + "\n",
           "-n 6 --context 512 --system 'Be kind.'");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const Json all = saved("all");
  ASSERT_EQ(all.size(), 7u);
  EXPECT_EQ(all[0]["content"], "Be kind.");
  EXPECT_EQ(all[1]["content"], "Hello");
  EXPECT_EQ(all[3]["content"], "two\nlines");
  EXPECT_EQ(all[5]["content"], "broken \nline");
  std::string answers;
  for (const size_t i : {2, 4, 6}) {
    EXPECT_EQ(all[i]["role"], "assistant");
    answers += all[i]["content"].get<std::string>() + "\n";
  }
  EXPECT_EQ(run.out, answers);
  EXPECT_EQ(saved("two").size(), 5u);
  EXPECT_EQ(saved("none"), Json::array({all[0]}));
}

// The words of the default template, read and continued as by fathom generate.
TEST_F(ChatTest, AnswersAsGenerateContinues) {
  const Outcome run = chat("Hello\n", "-n 9 --context 512"),
                generated = run_fathom("generate " + model() +
                                       " --threads 1 --greedy -n 9 --quiet -p 'User: Hello\n\nAssistant:'");
  EXPECT_EQ(generated.exit_code, 0) << generated.err;
  EXPECT_EQ(run.out, generated.out.starts_with(' ') ? generated.out.substr(1) : generated.out);
}

TEST_F(ChatTest, GoesOnWithASavedConversation) {
  const std::string file = *dir_ / "half";
  const Outcome whole = chat("One\nTwo\n", "-n 5 --context 512");
  chat("One\n/save " + file + "\n", "-n 5 --context 512");
  const Outcome rest = chat("Two\n", "-n 5 --context 512 --load " + file),
                loaded = chat("/load " + file + "\nTwo\n", "-n 5 --context 512");
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_TRUE(whole.out.ends_with(rest.out)) << whole.out << rest.out;
  EXPECT_EQ(loaded.out, rest.out);
}

TEST_F(ChatTest, WhatGoesWrongLeavesTheConversation) {
  write_file(*dir_ / "no_chat", R"({"messages": [{"role": "user"}]})");
  const Outcome run =
      chat("/what\n/save\n/load /nowhere\n/load " + (*dir_ / "no_chat") + "\n/undo\n/stats\n" +
               std::string(200, 'x') + "\nHi\n/stats\n/save " + (*dir_ / "after") + "\n/exit\nnever\n",
           "-n 3 --context 128");
  EXPECT_EQ(run.exit_code, 0);
  for (const char* words :
       {"/what is no command: /help lists them", "/save needs a file", "/nowhere: cannot open",
        "messages[0]: field 'content' is missing", "nothing was asked yet", "nothing was answered yet",
        "and the longest one 128: /clear or /undo makes room", "3 generated"})
    EXPECT_THAT(run.err, HasSubstr(words));
  const Json after = saved("after");
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0]["content"], "Hi");
}

// Ctrl-C ends the answer, of which there stays what was said; the chat goes on.
TEST_F(ChatTest, CtrlCStopsTheAnswerAndNotTheChat) {
  const std::string pipe = *dir_ / "pipe", out = *dir_ / "out", file = *dir_ / "stopped";
  const Outcome run = run_shell("mkfifo " + pipe + "\n" + program() + " chat " + model() +
                                " --threads 1 --greedy -n 190000 < " + pipe + " > " + out +
                                " &\nchat=$!\nexec 3> " + pipe + "\necho Hello >&3\n" +
                                "for i in $(seq 600); do [ -s " + out + " ] && break; sleep 0.05; done\n" +
                                "kill -INT $chat\nprintf '/save " + file + "\\n/exit\\n' >&3\nwait $chat");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const Json messages = saved("stopped");
  ASSERT_EQ(messages.size(), 2u);
  const auto answer = messages[1]["content"].get<std::string>();
  EXPECT_GT(answer.size(), 0u);
  EXPECT_EQ(read_file(out), answer + "\n");
}

TEST_F(ChatTest, NeedsATokenizer) {
  const TempDir bare;
  Config c = v2_like();
  save_model(Device::cpu(1), bare.path(), random_model(c, DType::f32));
  EXPECT_TRUE(is_one_clear_error(run_fathom("chat " + bare.path() + " < /dev/null"), "tokenizer.json"));
}

}  // namespace
}  // namespace fathom::testing
