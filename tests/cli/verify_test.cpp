#include <gtest/gtest.h>

#include <algorithm>

#include "io/json.h"
#include "io/safetensors.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

const std::string golden = std::string(FATHOM_SOURCE_DIR) + "/tests/golden/";

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
  for (const char* expected : {"logits", "loss", "grad.model.layers.1.mlp.experts.0.gate_proj.weight"})
    EXPECT_NE(std::find(names.begin(), names.end(), expected), names.end()) << expected;
}

TEST(Verify, AnotherModelsResultsFail) {
  TempDir dir;
  const SafetensorsFile file(golden + "v2_like/golden.safetensors");
  std::vector<float> wrong(static_cast<size_t>(file.tensor("logits").count()), 0.5f);
  Tensor logits = file.tensor("logits");
  logits.data = wrong.data();
  write_safetensors(dir / "wrong.safetensors",
                    std::vector<NamedTensor>{{"input_ids", file.tensor("input_ids")}, {"logits", logits}});
  const Outcome run = run_fathom(verify("v2_like", dir / "wrong.safetensors"));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.out.find("FAIL"), std::string::npos);
  EXPECT_NE(run.err.find("1 of 1 results are past tolerance"), std::string::npos);
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
