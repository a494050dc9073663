// Files that are cut short while a command works on them: one error line that names the file, exit code 1.
#include <gtest/gtest.h>

#include <filesystem>

#include "support/program.h"
#include "train/small_run.h"

namespace fathom::testing {
namespace {

constexpr const char* recipe = R"([model]
vocab_size = 40
hidden_size = 16
num_hidden_layers = 1
intermediate_size = 24
num_attention_heads = 2
q_lora_rank = 0
kv_lora_rank = 8
qk_nope_head_dim = 8
qk_rope_head_dim = 4
v_head_dim = 8
n_routed_experts = 0
[data]
sequence_length = 64
[schedule]
steps = 100000
[run]
threads = 2
log_every = 1
)";

// Runs the command and, once its standard error says `sign`, cuts `file` to 4 KB.
Outcome run_and_cut(const std::string& arguments, const std::string& sign, const std::string& file) {
  TempDir dir;
  const std::string out = dir / "out", err = dir / "err";
  const std::string script = fmt::format(
      "'{}' {} >'{}' 2>'{}' & pid=$!; "
      "until grep -q '{}' '{}'; do kill -0 $pid 2>/dev/null || break; sleep 0.02; done; truncate -s 4096 "
      "'{}'; wait $pid",
      program(), arguments, out, err, sign, err, file);
  const int status = std::system(script.c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, read_file(out), read_file(err)};
}

TEST(ShrunkFile, ATokenShardEndsTrainingWithItsName) {
  TempDir dir;
  std::filesystem::create_directory(dir / "data");
  const std::string tokenizer = small_tokenizer();
  TokenShardWriter writer(dir / "data", "train", small_vocabulary_of(tokenizer), 1 << 20);
  writer.add(std::vector<int32_t>(1 << 19, 5));
  writer.finish();
  write_file(dir / "data/tokenizer.json", tokenizer);
  write_file(dir / "recipe.toml", recipe);
  const std::string shard = dir / "data/train-00000.safetensors";
  const Outcome run = run_and_cut(fmt::format("train --config '{}' --data.train '{}' --run.output '{}'",
                                              dir / "recipe.toml", dir / "data", dir / "out"),
                                  "step 3/", shard);
  EXPECT_EQ(run.exit_code, 1) << run.err;
  const std::string line =
      "fathom: " + shard + ": the file shrank or could not be read while it was in use\n";
  // A thread that reads ahead finds it; another one may log a last line meanwhile.
  EXPECT_NE(run.err.find("\n" + line), std::string::npos)
      << run.err.substr(run.err.size() > 500 ? run.err.size() - 500 : 0);
  EXPECT_EQ(run.err.find(line), run.err.rfind(line));
}

}  // namespace
}  // namespace fathom::testing
