#include <gtest/gtest.h>

#include <algorithm>

#include "io/json.h"
#include "io/safetensors.h"
#include "support/golden.h"
#include "support/needs_gpu.h"
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

TEST(Verify, LayersLocateAMismatch) {
  TempDir dir;
  write_changed("v2_like", dir / "wrong.safetensors", [](const std::string& n, const Tensor& t) {
    if (n == "hidden.2") std::for_each_n(t.as<float>(), t.count(), [](float& x) { x *= 1.05f; });
  });
  for (const std::string dtype : {"f32", "bf16"}) {
    const std::string flags = "--layers --dtype " + dtype;
    const Outcome good = run_fathom(verify("v2_like", golden + "v2_like/golden.safetensors", flags));
    EXPECT_EQ(good.exit_code, 0) << good.err;
    EXPECT_NE(good.out.find("first layer past tolerance: none"), std::string::npos) << good.out;
    const Outcome bad = run_fathom(verify("v2_like", dir / "wrong.safetensors", flags));
    EXPECT_EQ(bad.exit_code, 1);
    EXPECT_NE(bad.out.find("first layer past tolerance: hidden.2, after the MoE of layer 1"),
              std::string::npos)
        << bad.out;
  }
}

TEST(Verify, LayersSayWhichKeysAreMissing) {
  TempDir dir;
  write_changed("v2_like", dir / "few.safetensors", {}, [](const std::string& n) {
    return !n.starts_with("hidden") && !n.starts_with("middle") && n != "experts.1" && n != "experts.2";
  });
  for (const std::string dtype : {"f32", "bf16"}) {
    const Outcome run = run_fathom(verify("v2_like", dir / "few.safetensors", "--layers --dtype " + dtype));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    for (const char* key : {"hidden.0", "middle.1", "hidden.3", "hidden.norm", "experts.1", "experts.2"})
      EXPECT_NE(run.err.find(key), std::string::npos) << key << ": " << run.err;
    const bool compared = run.out.find("first layer past tolerance: none") != std::string::npos;
    EXPECT_EQ(compared, dtype == "bf16") << "with the states of fathom's own f32 run";
  }
}

TEST(Verify, EveryLineSaysWhyItsToleranceIsWhatItIs) {
  const std::string file = golden + "v2_like/golden.safetensors";
  const Json j = Json::parse(run_fathom(verify("v2_like", file, "--json --dtype bf16")).out);
  EXPECT_EQ(j["first_layer_past_tolerance"], "none");
  for (const Json& t : j["tensors"])
    EXPECT_NE(t["reason"].get<std::string>().find("bf16"), std::string::npos) << t;
  const Outcome text = run_fathom(verify("v2_like", file));
  EXPECT_NE(text.out.find("f32 sums"), std::string::npos);
}

// The kernels that real models use, through the whole program.
TEST(CudaVerify, RealHeads) {
  FATHOM_NEEDS_GPU();
  for (const char* dtype : {"f32", "bf16"}) {
    const Outcome run = run_fathom(verify("real_heads", golden + "real_heads/golden.safetensors",
                                          std::string("--layers --device cuda --dtype ") + dtype));
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  }
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
