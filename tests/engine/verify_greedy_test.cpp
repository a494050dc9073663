// One wrong greedy token must be seen, in f32 and in bf16; a near tie explains another token.
#include "engine/verify_greedy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/golden.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

class VerifyGreedy : public ::testing::TestWithParam<DType> {
 protected:
  Verdict verify(const std::string& golden, const Change& change = {}, const Keep& keep = {}) {
    Device device = Device::cpu(2);
    const Model model = load_model(device, golden_dir(golden), GetParam());
    write_changed(golden, dir_ / "changed.safetensors", change, keep);
    OwnReference own = own_reference(golden);
    return verify_greedy(device, model, SafetensorsFile(dir_ / "changed.safetensors"), own).value();
  }

  TempDir dir_;
};
INSTANTIATE_TEST_SUITE_P(Types, VerifyGreedy, ::testing::Values(DType::f32, DType::bf16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

const Keep tokens_only = [](const std::string& n) { return n == "greedy" || n == "greedy_prompt"; };

TEST_P(VerifyGreedy, TheReferencesTokensPass) {
  for (const std::string golden :
       {"v2_like", "lite_like", "yarn_long", "yarn_split", "bias_norm", "odd_sizes", "noaux_tc"}) {
    for (const Keep& keep : {Keep(), tokens_only}) {
      const Verdict v = verify(golden, {}, keep);
      EXPECT_TRUE(v.pass()) << golden << ": " << v.error << " > " << v.tolerance.value;
      EXPECT_NE(v.tolerance.reason.find("near tie"), std::string::npos);
    }
  }
}

// With the reference's logits in the file and without them.
TEST_P(VerifyGreedy, OneWrongTokenIsSeenWhereverItIs) {
  for (const Keep& keep : {Keep(), tokens_only})
    for (const int at : {0, 7, 15}) {
      const Verdict v = verify(
          "v2_like",
          [&](const std::string& n, const Tensor& t) {
            if (n == "greedy") t.as<int32_t>()[at] = (t.as<int32_t>()[at] + 1) % 96;
          },
          keep);
      EXPECT_FALSE(v.pass()) << "token " << at;
      EXPECT_GT(v.error, 0.2);
    }
}

TEST_P(VerifyGreedy, ATokenThatIsNearlyTiedIsExplained) {
  // The reference claims another last token than ours, whose logit it has so much below the best one.
  const int32_t other = (SafetensorsFile(golden_file("v2_like")).read_ints("greedy").back() + 1) % 96;
  const auto tie = [&](float distance) {
    return [=](const std::string& n, const Tensor& t) {
      if (n == "greedy") t.as<int32_t>()[15] = other;
      if (n != "greedy_logits") return;
      float* row = t.row<float>(15);
      double squares = 0;
      for (int v = 0; v < 96; ++v) squares += row[v] * row[v];
      row[other] = *std::max_element(row, row + 96) - distance * static_cast<float>(std::sqrt(squares / 96));
    };
  };
  const auto allowed = static_cast<float>(greedy_tolerance(GetParam(), 3).value);
  EXPECT_TRUE(verify("v2_like", tie(0.7f * allowed)).pass());
  EXPECT_FALSE(verify("v2_like", tie(1.5f * allowed)).pass());
}

TEST_P(VerifyGreedy, AMissingMscaleIsSeen) {
  Device device = Device::cpu(2);
  Model model = load_model(device, golden_dir("v2_like"), GetParam());
  model.config.rope_scaling.attention_factor = 1;
  model.config.rope_scaling.mscale_all_dim = 0;
  OwnReference own = own_reference("v2_like");
  EXPECT_FALSE(verify_greedy(device, model, SafetensorsFile(golden_file("v2_like")), own)->pass());
}

}  // namespace
}  // namespace fathom::testing
