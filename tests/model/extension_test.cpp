// Extending a model's context: DeepSeek-V2's own numbers, and what a second extension keeps.
#include "model/extension.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "model/yarn.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

Config v2() {
  return read_config(testing::source_dir() + "/configs/deepseek-v2.json");
}
// As it was trained before its extension.
Config v2_before() {
  Config c = v2();
  c.max_position_embeddings = 4096;
  c.rope_scaling = {};
  return c;
}
std::string error_of_extending(const Config& c, int64_t to, int64_t from = 0) {
  return error_of([&] { extended(c, to, from, "model"); });
}

TEST(Extension, MakesDeepSeekV2OfItsFirstStage) {
  const Config c = extended(v2_before(), 163840, 0, "model");
  EXPECT_EQ(c.max_position_embeddings, v2().max_position_embeddings);
  EXPECT_EQ(c.rope_scaling, v2().rope_scaling);
  // sqrt(t) = 0.0707 ln s + 1
  const double t = 0.0707 * std::log(40) + 1;
  EXPECT_NEAR(rope_parameters(c).softmax_scale, t * t / std::sqrt(192), 1e-12);
  EXPECT_EQ(rope_parameters(c).cos_sin_factor, 1);
}

TEST(Extension, OfAnExtendedModelIsNotAProduct) {
  const Config once = extended(v2_before(), 16384, 0, "model"), twice = extended(once, 131072, 0, "model");
  EXPECT_EQ(twice, extended(v2_before(), 131072, 0, "model"));
  EXPECT_EQ(twice.rope_scaling.factor, 32);
  EXPECT_EQ(twice.rope_scaling.original_max_position_embeddings, 4096);
}

TEST(Extension, KeepsAnExtendedModelsOwnNumbers) {
  Config c = v2();
  c.rope_scaling.beta_fast = 16, c.rope_scaling.mscale = c.rope_scaling.mscale_all_dim = 1;
  c.rope_scaling.attention_factor = 1.2;  // was for a factor of 40
  const Config longer = extended(c, 2 * 163840, 0, "model");
  EXPECT_EQ(longer.rope_scaling.beta_fast, 16);
  EXPECT_EQ(longer.rope_scaling.mscale_all_dim, 1);
  EXPECT_FALSE(longer.rope_scaling.attention_factor);
  EXPECT_EQ(longer.rope_scaling.factor, 80);
}

TEST(Extension, ToAnyLengthFromTheOneTrained) {
  EXPECT_EQ(extended(v2_before(), 10000, 0, "model").rope_scaling.factor, 10000.0 / 4096);
  const Config c = extended(v2_before(), 4096, 1024, "model");  // never trained past 1024
  EXPECT_EQ(c.rope_scaling.factor, 4);
  EXPECT_EQ(c.rope_scaling.original_max_position_embeddings, 1024);
}

TEST(Extension, ToTheSameLengthChangesNothing) {
  EXPECT_EQ(extended(v2_before(), 4096, 0, "model"), v2_before());
  EXPECT_EQ(extended(v2(), 163840, 0, "model"), v2());
}

TEST(Extension, SaysWhatCannotBe) {
  EXPECT_EQ(error_of_extending(v2_before(), 4095),
            "model: it reaches 4096 tokens already and cannot be extended to 4095");
  EXPECT_EQ(error_of_extending(v2(), 8192),
            "model: it reaches 163840 tokens already and cannot be extended to 8192");
  EXPECT_NE(error_of_extending(v2(), 1 << 20, 8192).find("from 4096 tokens before, not from 8192"),
            std::string::npos);
  Config c = v2();
  c.rope_scaling.type = RopeType::linear;
  EXPECT_NE(error_of_extending(c, 1 << 20).find("linearly"), std::string::npos);
  c = v2_before();
  c.qk_rope_head_dim = 2;  // one pair, which turns once in 6.3 tokens
  EXPECT_NE(error_of_extending(c, 16384).find("qk_rope_head_dim 2"), std::string::npos);
  EXPECT_NE(error_of_extending(v2(), int64_t{1} << 40).find("max_position_embeddings"), std::string::npos);
}

}  // namespace
}  // namespace fathom
