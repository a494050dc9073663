// fathom merge, and generation with an adapter that is not merged.
#include <gtest/gtest.h>

#include <filesystem>

#include "io/json.h"
#include "support/byte_tokenizer.h"
#include "support/paths.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

const std::string tests = source_dir() + "/tests/";
const std::string model = tests + "golden/v2_like", adapter = tests + "golden_lora/v2_like";

std::vector<int> ids_of(const std::string& arguments) {
  const Outcome run = run_fathom(
      "generate --prompt-ids 3,1,4,1,5,9 -n 20 --greedy --ignore-eos --dtype f32 --json " + arguments);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return run.exit_code == 0 ? Json::parse(run.out)["ids"].get<std::vector<int>>() : std::vector<int>();
}

// The weights are bf16, so that merging rounds; on a copy in f32 it does not show.
TEST(Merge, MergedAndBesideTheWeightsGiveTheSameTokens) {
  for (const char* name : {"lite_like", "llama"}) {
    const std::string base = tests + "golden/" + name, lora = tests + "golden_lora/" + name;
    TempDir dir;
    const Outcome run = run_fathom("merge " + base + " " + lora + " --out " + (dir / "merged"));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_NE(run.out.find("adapters merged"), std::string::npos);
    const std::vector<int> beside = ids_of(base + " --adapter " + lora);
    EXPECT_EQ(beside.size(), 20u);
    EXPECT_EQ(ids_of(dir / "merged"), beside);
    EXPECT_NE(ids_of(base), beside);
  }
}

// A chat template that was trained with comes with the adapter.
TEST(Merge, TheAdaptersTokenizerIsTheMergedModels) {
  TempDir dir;
  std::filesystem::copy(model, dir / "model");
  std::filesystem::copy(adapter, dir / "adapter");
  for (const char* folder : {"model", "adapter"})
    write_file(dir / folder + "/chat_template.jinja", std::string(folder) + "{{ messages }}");
  const Outcome run =
      run_fathom("merge " + (dir / "model") + " " + (dir / "adapter") + " --out " + (dir / "merged"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(read_file(dir / "merged/chat_template.jinja"), "adapter{{ messages }}");
}

// What stands beside the weights comes along, generation_config.json as it was; types are kept.
TEST(Merge, KeepsTheRestOfTheModelsFolder) {
  TempDir dir;
  std::filesystem::copy(model, dir / "model");
  write_file(dir / "model/tokenizer.json", byte_tokenizer_json().dump());
  write_file(dir / "model/chat_template.jinja", "{{ messages }}");
  write_file(dir / "model/generation_config.json", R"({"temperature": 0.5})");
  const std::string out = dir / "merged";
  for (int i = 0; i < 2; ++i) {  // the second replaces the first
    const Outcome run = run_fathom("merge " + (dir / "model") + " " + adapter + " --out " + out);
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  for (const char* file : {"tokenizer.json", "chat_template.jinja", "generation_config.json"})
    EXPECT_EQ(read_file(out + "/" + file), read_file(dir / "model/" + file)) << file;
  EXPECT_EQ(read_json(out + "/config.json")["torch_dtype"], "bfloat16");
  EXPECT_EQ(run_fathom("info " + out).exit_code, 0);
}

TEST(Merge, BadInputIsOneClearError) {
  TempDir dir;
  const std::string out = " --out " + (dir / "out");
  EXPECT_TRUE(is_one_clear_error(run_fathom("merge " + model + " " + model + out),
                                 "it holds no adapter_config.json"));
  EXPECT_TRUE(is_one_clear_error(
      run_fathom("merge " + adapter + " " + adapter + out),
      "not a model folder but an adapter's: name the model beneath it (tests/golden/v2_like)"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("merge /nonexistent " + adapter + out), "/nonexistent"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("merge " + model + " " + tests + "golden_lora/llama" + out),
                                 "is not part of this model"));
  EXPECT_FALSE(std::filesystem::exists(dir / "out"));
  std::filesystem::copy(model, dir / "model");
  EXPECT_TRUE(
      is_one_clear_error(run_fathom("merge " + (dir / "model") + " " + adapter + " --out " + (dir / "model")),
                         "the merged model needs a folder of its own"));
  EXPECT_TRUE(is_one_clear_error(
      run_fathom("generate --prompt-ids 1,2 " + model + " --adapter " + (dir / "none")), "none"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("generate --prompt-ids 1,2 " + model + " --adapter " + model),
                                 "it holds no adapter_config.json"));
}

}  // namespace
}  // namespace fathom::testing
