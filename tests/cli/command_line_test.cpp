// What every command has in common: how flags are read, what a mistyped name is told, where output goes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "cli/flags.h"
#include "support/paths.h"
#include "support/program.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

const std::string golden = source_dir() + "/tests/golden/lite_like";
const std::string by_ids = "generate " + golden + " --prompt-ids 1,2,3 -n 3 ";

TEST(CommandLine, TokenIdsAreReadStrictly) {
  EXPECT_EQ(parse_token_ids("--ids", "[1, 2,\n3]"), (std::vector<int32_t>{1, 2, 3}));
  for (const char* text : {"1,x", "1,-2", "2147483648", "1.5", "0x1"})
    EXPECT_THAT(error_of([&] { parse_token_ids("--ids", text); }), HasSubstr("is not a token id")) << text;
}

TEST(CommandLine, WrongValuesAreOneErrorThatNamesTheFlag) {
  const std::pair<const char*, const char*> cases[] = {
      {"--top-p 1.5", "--top-p must be above 0 and at most 1, got 1.5"},
      {"--top-p nan", "--top-p must be a number"},
      {"--temperature -0.5", "--temperature must be at least 0, got -0.5"},
      {"--temperature inf", "--temperature must be a number"},
      {"--max-tokens 5", "--max-tokens is given more than once"},
      {"--top-k 0x10", "--top-k must be a whole number, at least 0, got '0x10'"},
      {"--top-k ''", "--top-k must be a whole number"},
      {"--seed -1", "--seed must be at least 0, got -1"},
      {"--seed 99999999999999999999", "--seed must be between 0 and 18446744073709551615"},
      {"--threads 2x", "--threads must be a whole number, between 0 and 4096, got '2x'"},
      {"--threads 5000", "--threads must be between 0 and 4096, got 5000"},
      {"--page-size 0", "--page-size must be between 1 and 1048576, got 0"},
      {"--dtype f16", "--dtype must be f32 or bf16, got 'f16'"},
      {"--seed", "--seed needs a value"},
      {"--greedy --temperature 1", "cannot be given together"},
      {"--quiet=7", "--quiet takes no value"},
      {"-p x", "give one prompt"},
  };
  for (const auto& [flags, what] : cases)
    EXPECT_TRUE(is_one_clear_error(run_fathom(by_ids + flags), what))
        << flags << run_fathom(by_ids + flags).err;
}

TEST(CommandLine, UnknownNamesAreToldTheNearestOne) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no command is given; the commands are "},
      {"generat x", "unknown command 'generat': did you mean generate?"},
      {"Train", "unknown command 'Train': did you mean train?"},
      {"frobnicate", "unknown command 'frobnicate'; the commands are chat, compare, dpo, eval, extend, generate, grpo"},
      {"--verison", "unknown flag --verison: did you mean --version?"},
      {by_ids + "--max-token 5", "unknown flag --max-token: did you mean --max-tokens?"},
      {by_ids + "--max_tokens=5", "unknown flag --max_tokens: did you mean --max-tokens?"},
      {by_ids + "--frobnicate", "unknown flag --frobnicate\n"},
      {by_ids + "-", "give one prompt"},
      {"--threads 2 generate x", "--threads must come after the command generate"},
      {"info " + golden + " again", "info: unexpected argument 'again'"},
      {"train --optimizer.lrr 1", "unknown flag --optimizer.lrr: did you mean --optimizer.lr?"},
      {"train --lr 1", "unknown flag --lr: did you mean --optimizer.lr?"},
      {"train --hidden_size 8", "unknown flag --hidden_size: did you mean --model.hidden_size?"},
      {"prepare a.txt", "prepare needs --out"},
      {"prepare a.txt --out /tmp/none",
       "prepare needs a tokenizer: give --tokenizer MODEL or --train-tokenizer SIZE"},
      {"prepare a.txt --out /tmp/none --train-tokenizer 300 --tokenizer x", "cannot be given together"},
      {"prepare a.txt --out /tmp/none --train-tokenizer 12",
       "--train-tokenizer must be between 258 and 4194304, got 12"},
      {"prepare a.txt --dry-run --near-duplicates 1.5", "--near-duplicates must be between 0 and 1, got 1.5"},
      {"prepare a.txt --dry-run --quality-off words", "--quality-off is nothing without --quality"},
      {"prepare a.txt --dry-run --log-dropped x", "--log-dropped is nothing without a flag that leaves"},
      {"prepare a.txt --dry-run --evaluation x --evaluation-words 7",
       "--evaluation-words must be between 8 and 1000, got 7"},
      {"prepare a.txt --out /tmp/none --as pdf", "--as must be text, jsonl or parquet, got 'pdf'"},
      {"generate -p x", "generate needs MODEL"},
      {"tokenize " + golden + " --skip-special", "--skip-special needs --decode"},
  };
  for (const auto& [arguments, what] : cases)
    EXPECT_TRUE(is_one_clear_error(run_fathom(arguments), what))
        << arguments << ": " << run_fathom(arguments).err;
}

TEST(CommandLine, AFolderAboveTheModelGetsAHint) {
  TempDir dir;
  namespace fs = std::filesystem;
  fs::create_directories(dir / "run/step-00000005");
  fs::create_directories(dir / "run/step-00000010");
  for (const char* step : {"run/step-00000005", "run/step-00000010"})
    for (const char* file : {"/config.json", "/tokenizer.json"}) write_file(dir / step + file, "{}");
  const std::string run = dir / "run";
  for (const std::string& command : {"generate " + run + " -p x", "info " + run, "tokenize " + run + " -t x",
                                     "verify " + run + " " + golden + "/golden.safetensors"})
    EXPECT_TRUE(is_one_clear_error(run_fathom(command), "did you mean " + run + "/step-00000010?"))
        << command;
  fs::create_directories(dir / "run/model");
  for (const char* file : {"config.json", "tokenizer.json"}) write_file(dir / "run/model/" + file, "{}");
  EXPECT_TRUE(is_one_clear_error(run_fathom("info " + run), "did you mean " + run + "/model?"));
  EXPECT_TRUE(
      is_one_clear_error(run_fathom("info " + dir.path()), "not a model folder, it holds no config.json\n"));
}

std::string small_tokenizer(const TempDir& dir) {
  write_file(dir / "a.txt", "low lower lowest low low\n");
  const Outcome run =
      run_fathom("train-tokenizer --vocab-size 270 --out " + (dir / "tokenizer") + " " + (dir / "a.txt"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return dir / "tokenizer";
}

TEST(CommandLine, AFullOutputIsAnErrorOfEveryCommand) {
  TempDir dir;
  const std::string tokenizer = small_tokenizer(dir);
  const std::string commands[] = {
      "--help",
      "--version",
      "generate --help",
      "info " + golden,
      "info --json " + golden,
      "verify " + golden + " " + golden + "/golden.safetensors",
      by_ids + "--quiet",
      by_ids + "--json",
      "tokenize " + tokenizer + " -t low",
      "tokenize " + tokenizer + " --count -t low",
      "train-tokenizer --vocab-size 270 --out " + (dir / "again") + " " + (dir / "a.txt"),
      "prepare --tokenizer " + tokenizer + " --out " + (dir / "data") + " " + (dir / "a.txt"),
  };
  for (const std::string& command : commands)
    for (const char* target : {" >/dev/full", " >&-"}) {
      const Outcome run = run_fathom(command + target);
      EXPECT_EQ(run.exit_code, 1) << command << target;
      EXPECT_THAT(run.err, HasSubstr("fathom: cannot write to standard output: ")) << command << target;
    }
}

TEST(CommandLine, AClosedPipeIsAnErrorToo) {
  const Outcome run =
      run_shell("{ sleep 0.2; " + program() + " " + by_ids + "; echo exit code $? >&2; } | true");
  EXPECT_THAT(run.err, HasSubstr("fathom: cannot write to standard output: Broken pipe\n"));
  EXPECT_THAT(run.err, HasSubstr("exit code 1\n"));
}

TEST(CommandLine, AnInputThatCannotBeReadIsAnError) {
  TempDir dir;
  const std::string tokenizer = small_tokenizer(dir);
  EXPECT_TRUE(
      is_one_clear_error(run_fathom("tokenize " + tokenizer + " < /"), "cannot read standard input: "));
  EXPECT_TRUE(
      is_one_clear_error(run_fathom("tokenize " + tokenizer + " <&-"), "cannot read standard input: "));
  EXPECT_TRUE(is_one_clear_error(run_fathom("tokenize " + tokenizer + " -f /"), "/: cannot read: "));
}

TEST(CommandLine, AClosedErrorOutputDoesNoHarm) {
  const Outcome run = run_fathom(by_ids + "2>&-");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), ' '), 3);
}

TEST(CommandLine, StandardOutputHoldsTheResultAlone) {
  TempDir dir;
  write_file(dir / "t.jsonl", "{\"text\":\"a b a b\"}\nnot JSON\n{\"text\":\" \"}\n{\"text\":\"a b\"}\n");
  const Outcome run =
      run_fathom("prepare " + (dir / "t.jsonl") + " --skip-bad --train-tokenizer 4000 --out " + (dir / "o"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, ::testing::StartsWith(dir / "o" + ": 2 documents"));
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 2);
  EXPECT_THAT(run.err, HasSubstr("1 malformed line left out; " + (dir / "t.jsonl") + ":2: not valid JSON"));
  EXPECT_THAT(run.err, HasSubstr("1 blank document left out"));
  EXPECT_THAT(run.err, HasSubstr("too few frequent pairs"));
}

TEST(CommandLine, ADryRunShowsWhatWouldGo) {
  TempDir dir;
  write_file(dir / "t.jsonl", "{\"text\":\"one\"}\n{\"text\":\"two\"}\nnot JSON\n{\"text\":\"one\"}\n");
  const Outcome run = run_fathom("prepare " + (dir / "t.jsonl") + " --skip-bad --exact-duplicates --dry-run");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, ::testing::ContainsRegex("duplicate +1 +33.33%"));
  EXPECT_THAT(run.out, HasSubstr("t.jsonl:4: duplicate, of " + (dir / "t.jsonl") + ":1: one\n"));
  EXPECT_THAT(run.err, HasSubstr("1 malformed line left out"));
}

}  // namespace
}  // namespace fathom::testing
