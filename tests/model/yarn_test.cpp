// Check values worked out from DeepSeek-V2's published configuration (dim 64, base 10000, L 4096, s 40).
#include "model/yarn.h"
#include "support/paths.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

Config v2() {
  return read_config(testing::source_dir() + "/configs/deepseek-v2.json");
}

TEST(Yarn, FrequenciesOfDeepSeekV2) {
  const RopeParameters p = rope_parameters(v2());
  ASSERT_EQ(p.inv_freq.size(), 32u);
  EXPECT_DOUBLE_EQ(p.inv_freq[0], 1.0);
  EXPECT_NEAR(p.inv_freq[10], 0.0562341325, 1e-10);
  EXPECT_NEAR(p.inv_freq[11], 0.0390069266, 1e-10);
  EXPECT_NEAR(p.inv_freq[15], 0.00833450895, 1e-11);
  EXPECT_NEAR(p.inv_freq[16], 0.0055, 1e-10);
  EXPECT_NEAR(p.inv_freq[20], 7.90569415e-4, 1e-12);
  EXPECT_NEAR(p.inv_freq[22], 1.77827941e-4, 1e-12);
  EXPECT_NEAR(p.inv_freq[23], 3.33380358e-5, 1e-13);
  EXPECT_NEAR(p.inv_freq[31], 3.33380358e-6, 1e-14);
}

TEST(Yarn, SoftmaxScale) {
  Config c = v2();
  EXPECT_NEAR(rope_parameters(c).softmax_scale, 0.1147213868, 1e-10);
  EXPECT_DOUBLE_EQ(rope_parameters(c).cos_sin_factor, 1.0);
  c.rope_scaling.mscale = c.rope_scaling.mscale_all_dim = 1.0;
  EXPECT_NEAR(rope_parameters(c).softmax_scale, 0.1352337789, 1e-10);
  c.rope_scaling = {};
  EXPECT_NEAR(rope_parameters(c).softmax_scale, 0.0721687836, 1e-10);
}

TEST(Yarn, UnequalMscalesScaleCosAndSin) {
  Config c = v2();
  c.rope_scaling.mscale = 1.0;
  EXPECT_NEAR(rope_parameters(c).cos_sin_factor, 1.3688879454 / 1.2608037774, 1e-9);
}

}  // namespace
}  // namespace fathom
