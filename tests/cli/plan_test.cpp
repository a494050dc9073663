#include <gtest/gtest.h>

#include <algorithm>

#include "io/file.h"
#include "io/json.h"
#include "support/paths.h"
#include "support/program.h"

namespace fathom::testing {
namespace {

TEST(Plan, SchedulesOfFourStages) {
  const Outcome run = run_fathom("plan --stages 4 --micro-batches 12 --json");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json j = Json::parse(run.out);
  ASSERT_EQ(j.size(), 3u);
  EXPECT_EQ(j[0]["schedule"], "1f1b");
  EXPECT_DOUBLE_EQ(j[0]["step"].get<double>(), 36 + 6);
  EXPECT_DOUBLE_EQ(j[1]["step"].get<double>(), 36 + 3);
  EXPECT_DOUBLE_EQ(j[2]["period"].get<double>(), 36);
}

TEST(Plan, DrawsASchedule) {
  const TempDir dir;
  const Outcome run =
      run_fathom("plan --stages 2 --micro-batches 3 --times 1,1.5,0.5 --times 2,2,1 --schedule '" +
                 (dir / "out.svg") + "' --kind zb-h1");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("zb-h1"), std::string::npos);
  EXPECT_NE(read_file(dir / "out.svg").find("zb-h1: 2 stages, 3 micro-batches"), std::string::npos);
}

TEST(Plan, BadInputIsOneClearError) {
  const std::string plan = "plan --stages 2 --micro-batches 3 ";
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan --stages 0 --micro-batches 3"), "--stages"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan --stages 2"), "--micro-batches"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--times 1,2"), "--times"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--times 1,2,0"), "--times"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--times 1,x,2"), "--times"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan --stages 3 --micro-batches 3 --times 1,1,1 --times 1,1,1"),
                                 "--times is given 2 times"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--send -1"), "--send"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--kept 2"), "--kept"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--kind gpipe"), "--kind"));
  EXPECT_TRUE(is_one_clear_error(run_fathom(plan + "--schedule /nonexistent/a.svg"), "/nonexistent/a.svg"));
}

// moe-1b for four GPUs.
std::string moe_1b() {
  return "plan '" + source_dir() + "/recipes/moe-1b.toml' ";
}
const std::string four_gpus = "--gpus 4 --gpu-memory 80 ";

TEST(Plan, OfARecipeAsJson) {
  const Outcome run =
      run_fathom(moe_1b() + four_gpus + "--gpus-per-host 2 --in-host 300 --between-hosts 40 --json");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json j = Json::parse(run.out);
  EXPECT_EQ(j["gpus"], 4);
  EXPECT_EQ(j["gpu_memory"], 77e9);
  EXPECT_EQ(j["links"]["in_host"], 300e9);
  EXPECT_EQ(j["rates"]["dtype"], "bf16");
  ASSERT_EQ(j["plans"].size(), 6u);  // pipeline and expert of 1, 2 and 4, as far as they go together
  double best = 0;
  for (const Json& plan : j["plans"]) {
    EXPECT_EQ(plan["pipeline"].get<int>() * plan["expert"].get<int>() * plan["data"].get<int>(), 4);
    EXPECT_TRUE(plan["fits"].get<bool>());
    const Json& m = plan["memory"];
    EXPECT_EQ(m["total"].get<int64_t>(), m["weights"].get<int64_t>() + m["gradients"].get<int64_t>() +
                                             m["optimizer"].get<int64_t>() + m["activations"].get<int64_t>() +
                                             m["exchange"].get<int64_t>());
    EXPECT_LE(m["total"].get<double>(), 77e9);
    const double speed = plan["tokens_per_second"].get<double>();
    best = std::max(best, speed);
    // 20B tokens, at a constant batch
    EXPECT_NEAR(plan["days"].get<double>() * 86400 * speed, 20e9, 1e-6 * 20e9);
    EXPECT_NEAR(plan["gpu_hours_per_trillion_tokens"].get<double>() * 3600 * speed, 4e12, 1e-6 * 4e12);
    EXPECT_NEAR(plan["step_seconds"].get<double>() * speed, 64 * 4096, 1e-3);
  }
  EXPECT_EQ(j["best"]["tokens_per_second"].get<double>(), best);
  const Json& s = j["best"]["seconds"];
  EXPECT_NEAR(s["pipeline"].get<double>() + s["reduce"].get<double>() + s["optimizer"].get<double>() +
                  s["gather"].get<double>(),
              j["best"]["step_seconds"].get<double>(), 1e-9);
  EXPECT_EQ(static_cast<int>(j["best"]["stages"].size()), j["best"]["pipeline"].get<int>());
  EXPECT_EQ(j["best"]["recomputation"].size(), 6u);
  for (const Json& part : j["best"]["recomputation"]) {
    EXPECT_GT(part["saved_bytes"].get<double>(), 0) << part;
    EXPECT_GT(part["slower"].get<double>(), 0) << part;
  }
}

TEST(Plan, OfARecipeAsATable) {
  const TempDir dir;
  const Outcome run =
      run_fathom(moe_1b() + four_gpus + "--parallel.pipeline 2 --batch.micro_batch 2 --schedule '" +
                 (dir / "p.svg") + "'");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  for (const char* text :
       {"* 2 x ", "best: 2 x ", "memory of the fullest rank", "a step: ", "tokens/s", "up_projections"})
    EXPECT_NE(run.out.find(text), std::string::npos) << text << " in " << run.out;
  EXPECT_NE(read_file(dir / "p.svg").find("2 stages"), std::string::npos);
}

TEST(Plan, BadInputOfARecipe) {
  const auto error = [](const std::string& flags, const char* names) {
    EXPECT_TRUE(is_one_clear_error(run_fathom(moe_1b() + flags), names)) << flags;
  };
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan"), "a recipe is needed"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan --stages 2 --micro-batches 2 --gpus 4"), "--gpus"));
  EXPECT_TRUE(is_one_clear_error(run_fathom("plan /nonexistent.toml " + four_gpus), "/nonexistent.toml"));
  error("--gpu-memory 80", "--gpus");
  error("--gpus 4", "--gpu-memory");
  error("--gpus 0 --gpu-memory 80", "--gpus");
  error("--gpus 4 --gpu-memory 0", "--gpu-memory");
  for (const char* memory : {"80GB", "nan", "-80", "80GiB", "85899345920"})
    error(std::string("--gpus 4 --gpu-memory ") + memory, "--gpu-memory");
  error(four_gpus + "--expert-load 0.5", "--expert-load");
  error("--gpus 4 --gpu-memory 2", "--reserve");
  error("--gpus 4 --gpu-memory 4", "no plan for 4 GPUs fits 1.00 GB each");
  error(four_gpus + "--stages 2", "--stages");
  error(four_gpus + "--gpus-per-host 3", "--gpus-per-host = 3");
  error(four_gpus + "--parallel.expert 3", "parallel.expert = 3");
  error(four_gpus + "--parallel.pipeline 3", "parallel.pipeline = 3");
  error(four_gpus + "--rates /nonexistent.json", "/nonexistent.json");
  error(four_gpus + "--in-host 0", "--in-host");
  const TempDir dir;
  const std::string rates = dir / "rates.json";
  Json json = Json::parse(read_file(source_dir() + "/bench/rates/h100.json"));
  json["tflops"]["limit"] = "fast";
  write_file(rates, json.dump());
  error(four_gpus + "--rates '" + rates + "'", "tflops.limit");
}

}  // namespace
}  // namespace fathom::testing
