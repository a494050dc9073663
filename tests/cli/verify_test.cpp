#include <gtest/gtest.h>

#include <algorithm>

#include "io/json.h"
#include "io/safetensors.h"
#include "support/paths.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

const std::string golden = testing::source_dir() + "/tests/golden/";

std::string verify(const std::string& model, const std::string& file, const std::string& flags = "") {
  return "verify " + golden + model + " " + file + " " + flags;
}

TEST(Verify, PassesAndSaysSo) {
  const Outcome run = run_fathom(verify("v2_like", golden + "v2_like/golden.safetensors", "--json"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json j = Json::parse(run.out);
  EXPECT_EQ(j["pass"], true);
  std::vector<std::string> names;
  for (const Json& t : j["tensors"]) names.push_back(t["name"]);
  for (const char* expected :
       {"logits", "loss", "greedy", "grad.model.layers.1.mlp.experts.0.gate_proj.weight"})
    EXPECT_NE(std::find(names.begin(), names.end(), expected), names.end()) << expected;
}

TEST(Verify, AnotherModelsResultsFail) {
  TempDir dir;
  const SafetensorsFile file(golden + "v2_like/golden.safetensors");
  std::vector<float> wrong(static_cast<size_t>(file.tensor("logits").count()), 0.5f);
  ConstTensor logits = file.tensor("logits");
  logits.data = wrong.data();
  write_safetensors(dir / "wrong.safetensors",
                    std::vector<NamedTensor>{{"input_ids", file.tensor("input_ids")}, {"logits", logits}});
  const Outcome run = run_fathom(verify("v2_like", dir / "wrong.safetensors"));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.out.find("FAIL"), std::string::npos);
  EXPECT_NE(run.err.find("1 of 1 results are past tolerance"), std::string::npos);
}

TEST(Verify, AnySubsetOfTheResultsWillDo) {
  TempDir dir;
  const SafetensorsFile file(golden + "lite_like/golden.safetensors");
  write_safetensors(dir / "greedy.safetensors",
                    std::vector<NamedTensor>{{"greedy_prompt", file.tensor("greedy_prompt")},
                                             {"greedy", file.tensor("greedy")}});
  const Outcome greedy = run_fathom(verify("lite_like", dir / "greedy.safetensors", "--json"));
  ASSERT_EQ(greedy.exit_code, 0) << greedy.err;
  EXPECT_EQ(Json::parse(greedy.out)["tensors"].size(), 1u);

  std::vector<int32_t> wrong = file.read_ints("greedy");
  wrong.back() = (wrong.back() + 1) % 7;
  const Tensor tokens(wrong.data(), DType::i32, {static_cast<int64_t>(wrong.size())});
  write_safetensors(
      dir / "wrong.safetensors",
      std::vector<NamedTensor>{{"greedy_prompt", file.tensor("greedy_prompt")}, {"greedy", tokens}});
  EXPECT_EQ(run_fathom(verify("lite_like", dir / "wrong.safetensors")).exit_code, 1);

  write_safetensors(dir / "none.safetensors",
                    std::vector<NamedTensor>{{"input_ids", file.tensor("input_ids")}});
  EXPECT_TRUE(is_one_clear_error(run_fathom(verify("lite_like", dir / "none.safetensors")), "holds none of"));
}

TEST(Verify, BadInputIsOneClearError) {
  EXPECT_TRUE(is_one_clear_error(run_fathom(verify("v2_like", "/nonexistent.safetensors")), "/nonexistent"));
  EXPECT_TRUE(
      is_one_clear_error(run_fathom(verify("v2_like", golden + "v2_like/config.json")), "config.json"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("verify /nonexistent " + golden + "v2_like/golden.safetensors"),
                                 "/nonexistent"));
  EXPECT_TRUE(is_one_clear_error(
      run_fathom(verify("v2_like", golden + "v2_like/golden.safetensors", "--dtype f7")), "f7"));
}

}  // namespace
}  // namespace fathom::testing
