#include <gtest/gtest.h>

#include "io/json.h"
#include "support/paths.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

const std::string root = testing::source_dir();

TEST(Info, PublishedModelsAsJson) {
  const Outcome v2 = run_fathom("info --json " + root + "/configs/deepseek-v2.json");
  ASSERT_EQ(v2.exit_code, 0) << v2.err;
  const Json j = Json::parse(v2.out);
  EXPECT_EQ(j["parameters"], 235'741'434'880);
  EXPECT_EQ(j["kv_cache_bytes_per_token"]["mla"], 69'120);
  EXPECT_EQ(j["weight_bytes"]["f32"], 4 * 235'741'434'880);
  // Two bytes each, and two more for the routers of 59 layers.
  EXPECT_EQ(j["weight_bytes"]["bf16"], 2 * (235'741'434'880 + 59 * 160 * 5120));
  const Outcome lite = run_fathom("info --json " + root + "/configs/deepseek-v2-lite.json");
  EXPECT_EQ(Json::parse(lite.out)["parameters"], 15'706'484'224);
}

TEST(Info, TextNamesTheSameNumbers) {
  const Outcome run = run_fathom("info " + root + "/configs/deepseek-v2.json");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("235,741,434,880"), std::string::npos);
  EXPECT_NE(run.out.find("69.1 KB"), std::string::npos);
}

TEST(Info, CheckpointSaysWhatIsStored) {
  const Outcome run = run_fathom("info --json " + root + "/tests/golden/lite_like");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json j = Json::parse(run.out);
  EXPECT_GT(j["stored_weight_bytes"], 0);
}

TEST(Info, BadInputIsOneClearError) {
  EXPECT_TRUE(is_one_clear_error(run_fathom("info /nonexistent"), "/nonexistent"));
  TempDir dir;
  write_file(dir / "config.json", R"({"model_type": "deepseek_v2", "vocab_size": -1})");
  EXPECT_TRUE(is_one_clear_error(run_fathom("info " + dir.path()), "config.json"));
  write_file(dir / "config.json", "{\"a\": ");
  EXPECT_TRUE(is_one_clear_error(run_fathom("info " + dir.path()), "config.json"));
}

}  // namespace
}  // namespace fathom::testing
