// fathom generate as a user runs it, on the small golden checkpoints and one with a byte-level tokenizer.
#include <gtest/gtest.h>

#include <filesystem>

#include "io/json.h"
#include "model/model_folder.h"
#include "support/byte_tokenizer.h"
#include "support/paths.h"
#include "support/program.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

const std::string golden = testing::source_dir() + "/tests/golden/lite_like";

// A random model over bytes: ids 0..255, 256 is <end>, four rows of padding.
class GenerateText : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new TempDir;
    Config c = v2_like();
    c.vocab_size = 261, c.max_position_embeddings = 64, c.bos_token_id = 0, c.eos_token_ids = {256};
    const Model model = random_model(c, DType::f32);
    save_model(Device::cpu(1), dir_->path(), model);
    write_file(*dir_ / "tokenizer.json", byte_tokenizer_json().dump());
  }
  static void TearDownTestSuite() { delete std::exchange(dir_, nullptr); }

  static Outcome generate(const std::string& arguments, const std::string& before = "") {
    return run_fathom("generate " + dir_->path() + " --threads 1 " + arguments, before);
  }
  static Json json_of(const std::string& arguments) {
    const Outcome run = generate(arguments + " --json");
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return Json::parse(run.out);
  }

  static inline TempDir* dir_ = nullptr;
};

TEST_F(GenerateText, PromptsFromEverySourceAreTheSame) {
  const Outcome flag = generate("-p 'once upon' -n 8 --greedy");
  ASSERT_EQ(flag.exit_code, 0) << flag.err;
  EXPECT_NE(flag.err.find("tokens/s"), std::string::npos);
  EXPECT_NE(flag.err.find("KiB/token"), std::string::npos);
  TempDir dir;
  write_file(dir / "prompt", "once upon");
  EXPECT_EQ(generate("--prompt-file " + (dir / "prompt") + " -n 8 --greedy").out, flag.out);
  EXPECT_EQ(generate("- -n 8 --greedy", "printf 'once upon' |").out, flag.out);
  EXPECT_EQ(generate("--prompt-file - -n 8 --greedy", "printf 'once upon' |").out, flag.out);
  const Json j = json_of("-p 'once upon' -n 8 --greedy");
  EXPECT_EQ(j["text"].get<std::string>() + "\n", flag.out);
  EXPECT_EQ(j["ids"].size(), 8u);
  EXPECT_EQ(j["prompt_ids"].size(), 9u);
  EXPECT_EQ(j["finish_reason"], "length");
}

TEST_F(GenerateText, SeedsDecide) {
  const std::string flags = "-p a -n 20 --temperature 1 --top-k 100 --top-p 0.99 --min-p 0.001 --seed ";
  EXPECT_EQ(json_of(flags + "1")["ids"], json_of(flags + "1 --page-size 3")["ids"]);
  EXPECT_NE(json_of(flags + "1")["ids"], json_of(flags + "2")["ids"]);
  EXPECT_EQ(json_of("-p a -n 2 --top-k 3")["temperature"], 1.0);
}

TEST_F(GenerateText, ChunksOfThePromptChangeNothing) {
  const std::string flags = "-p 'once upon a time there was a prompt' -n 8 --greedy ";
  const Json whole = json_of(flags)["ids"];
  for (const char* chunk : {"1", "7", "1000000"})
    EXPECT_EQ(json_of(flags + "--prompt-chunk " + chunk)["ids"], whole) << chunk;
}

TEST_F(GenerateText, StopStringsAndEosEndIt) {
  const std::string flags = "-p a -n 40 --temperature 1 --seed 4 ";
  const std::vector<int> ids = json_of(flags)["ids"];
  const size_t at =
      std::find_if(ids.begin() + 3, ids.end(), [](int id) { return id > 64 && id < 91; }) - ids.begin();
  ASSERT_LT(at, ids.size());
  const Json stopped = json_of(flags + "--stop never --stop " + std::string(1, static_cast<char>(ids[at])));
  EXPECT_EQ(stopped["finish_reason"], "stop");
  EXPECT_LE(stopped["ids"].size(), at + 1);

  write_file(*dir_ / "generation_config.json", fmt::format(R"({{"eos_token_id": [256, {}]}})", ids[5]));
  const size_t end = std::find(ids.begin(), ids.end(), ids[5]) - ids.begin();
  EXPECT_EQ(json_of(flags)["ids"].size(), end + 1);
  EXPECT_EQ(json_of(flags + "--ignore-eos")["ids"].size(), 40u);
  write_file(*dir_ / "generation_config.json", "{}");
}

TEST_F(GenerateText, BadInputIsOneClearError) {
  TempDir dir;
  write_file(dir / "latin1", "caf\xe9");
  const std::pair<const char*, std::string> cases[] = {
      {"", "give one prompt"},
      {"-p a -", "give one prompt"},
      {"-p ''", "prompt is empty"},
      {"-p a --temperature -1", "temperature"},
      {"-p a --temperature x", "temperature"},
      {"-p a --top-p 0", "--top-p must be above 0"},
      {"-p a --min-p 2", "--min-p must be between 0 and 1"},
      {"-p a --top-k -3", "--top-k must be at least 0"},
      {"-p a --greedy --temperature 1", "--temperature"},
      {"-p a --dtype int7", "dtype"},
      {"-p a -n 0", "--max-tokens must be at least 1, got 0"},
      {"-p a -n -4", "--max-tokens must be at least 1, got -4"},
      {"-p a --page-size 0", "page-size"},
      {"-p a --prompt-chunk 0", "--prompt-chunk must be between 1 and 1048576, got 0"},
      {"-p a --prompt-chunk 12k", "--prompt-chunk"},
      {"-p a --stop ''", "stop string"},
      {"-p a --no-such-flag", "no-such-flag"},
      {"-p $(printf '%070d' 0)", "the prompt has 70 tokens; the longest context, prompt and answer, is 64"},
      {"--prompt-file /nonexistent", "/nonexistent"},
      {"--prompt-ids 1,x", "prompt-ids"},
      {"--prompt-ids 999", "999"},
  };
  for (const auto& [flags, what] : cases) {
    const Outcome run = generate(flags);
    EXPECT_TRUE(is_one_clear_error(run, what)) << flags << ": " << run.exit_code << run.err;
    EXPECT_EQ(run.out, "");
  }
  EXPECT_TRUE(is_one_clear_error(generate("--prompt-file " + (dir / "latin1")), "not valid UTF-8 at byte 3"));
}

TEST_F(GenerateText, AModelWithoutATokenizerTakesAndPrintsIds) {
  const std::string ids = generate("--prompt-ids 7,8,9 -n 6 --greedy --quiet").out;
  std::filesystem::rename(*dir_ / "tokenizer.json", *dir_ / "elsewhere.json");
  EXPECT_TRUE(
      is_one_clear_error(generate("-p '7 8 9'"), "the model has no tokenizer.json; with --no-tokenizer"));
  EXPECT_EQ(generate("--no-tokenizer -p '7, 8 9' -n 6 --greedy --quiet").out, ids);
  EXPECT_EQ(generate("--no-tokenizer - -n 6 --greedy --quiet", "echo '[7, 8, 9]' |").out, ids);
  EXPECT_EQ(generate("--prompt-ids 7,8,9 -n 6 --greedy --quiet").out, ids);
  EXPECT_TRUE(is_one_clear_error(generate("--no-tokenizer -p seven"), "the prompt"));
  EXPECT_TRUE(is_one_clear_error(generate("--no-tokenizer -p 7 --stop x"), "stop"));
  std::filesystem::rename(*dir_ / "elsewhere.json", *dir_ / "tokenizer.json");
  EXPECT_EQ(generate("--no-tokenizer -p '7 8 9' -n 6 --greedy --quiet").out, ids);
}

TEST_F(GenerateText, TheEndingSaysWhatItWas) {
  EXPECT_NE(generate("-p a -n 5").err.find("; ended by max tokens\n"), std::string::npos);
  EXPECT_NE(generate("-p a -n 500 --ignore-eos").err.find("; ended by context, which holds 64 tokens\n"),
            std::string::npos);
  EXPECT_EQ(json_of("-p a -n 500 --ignore-eos")["finish_reason"], "context");
  EXPECT_EQ(json_of("-p a -n 63 --ignore-eos")["finish_reason"], "length");
}

TEST_F(GenerateText, FlagsWithoutEffectAreSaidOnce) {
  const Outcome run = generate("-p a -n 2 --quiet --greedy --top-k 3 --seed 1");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_NE(run.err.find("--top-k, --seed has no effect"), std::string::npos) << run.err;
  EXPECT_EQ(generate("-p a -n 2 --quiet --top-k 3 --seed 1").err, "");
}

TEST(Generate, OutputThatIsNotFiniteIsAnError) {
  TempDir dir;
  Config c = v2_like();
  const Model model = random_model(c, DType::f32);
  std::fill_n(model.weights.embed_tokens.data.row<float>(9), c.hidden_size,
              std::numeric_limits<float>::quiet_NaN());
  save_model(Device::cpu(1), dir.path(), model);
  const std::string flags = " --threads 1 -n 4 --prompt-ids ";
  EXPECT_TRUE(is_one_clear_error(run_fathom("generate " + dir.path() + flags + "1,9,3"),
                                 "not finite after 3 tokens"));
  EXPECT_EQ(run_fathom("generate " + dir.path() + flags + "1,2,3 --temperature 0").exit_code, 0);
}

TEST(Generate, IdsNeedNoTokenizer) {
  const std::string command = "generate " + golden + " --prompt-ids 1,2,3 -n 5 --quiet --threads 2";
  const Outcome run = run_fathom(command);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), ' '), 5);
  EXPECT_EQ(run.err, "");
  const Outcome rounded = run_fathom(command + " --dtype bf16");  // of an f32 checkpoint
  EXPECT_EQ(rounded.exit_code, 0);
  EXPECT_EQ(std::count(rounded.out.begin(), rounded.out.end(), ' '), 5);
  EXPECT_NE(rounded.err.find("rounded: 59, the first of them 'model.embed_tokens.weight', f32 to bf16"),
            std::string::npos);
  EXPECT_EQ(std::count(rounded.err.begin(), rounded.err.end(), '\n'), 1);
}

TEST(Generate, MissingFilesAreNamed) {
  EXPECT_TRUE(is_one_clear_error(run_fathom("generate /nonexistent -p a"), "/nonexistent"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("generate " + golden + " -p a"), "tokenizer.json"));
}

}  // namespace
}  // namespace fathom::testing
