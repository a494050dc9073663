#include "model/summary.h"

#include <gtest/gtest.h>

#include "model/weights.h"
#include "support/paths.h"

namespace fathom {
namespace {

Config published(const char* name) {
  return read_config(testing::source_dir() + "/configs/" + name);
}

TEST(Summary, ParametersOfThePublishedModels) {
  const Config v2 = published("deepseek-v2.json"), lite = published("deepseek-v2-lite.json");
  EXPECT_EQ(parameter_count(v2), 235'741'434'880);
  EXPECT_EQ(parameter_count(lite), 15'706'484'224);
  EXPECT_NEAR(static_cast<double>(active_parameter_count(v2, false)), 20.85e9, 0.01e9);
  EXPECT_NEAR(static_cast<double>(active_parameter_count(v2, true)), 21.38e9, 0.01e9);
  EXPECT_NEAR(static_cast<double>(active_parameter_count(lite, false)), 2.45e9, 0.01e9);
  EXPECT_NEAR(static_cast<double>(active_parameter_count(lite, true)), 2.66e9, 0.01e9);
}

TEST(Summary, CacheOfThePublishedModels) {
  const CacheBytes v2 = cache_bytes_per_token(published("deepseek-v2.json"), DType::bf16);
  EXPECT_EQ(v2.own, 69'120);
  EXPECT_EQ(v2.mha, 2 * 2 * 128 * 128 * 60);
  EXPECT_EQ(v2.gqa8, 2 * 2 * 8 * 128 * 60);
  EXPECT_EQ(v2.mqa, 2 * 2 * 128 * 60);
  EXPECT_EQ(cache_bytes_per_token(published("deepseek-v2-lite.json"), DType::bf16).own, 2 * 15'552);
}

}  // namespace
}  // namespace fathom
