// One engine over weights that change: after weights_changed() it gives bit for bit what a new one gives.
#include <gtest/gtest.h>

#include "engine/support.h"
#include "support/gpus.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

struct Route {
  const char* name;
  Config config;
  std::string device;
  DType dtype;
  std::optional<bool> absorbed = {};
};

class WeightsChanged : public ::testing::TestWithParam<Route> {
 protected:
  EngineOptions options() const {
    EngineOptions o{.cache_tokens = 600, .page_size = 4, .token_budget = 40, .absorbed = {}};
    o.absorbed = GetParam().absorbed;
    o.record_experts = true;
    return o;
  }
  void weights(uint64_t seed) { initialize_weights(device_, config_, model_.weights, seed); }

  // Answers in the order of requests, which share a prefix.
  std::vector<Answer> rollout(Engine& engine) const {
    Rng rng(5);
    std::vector<int64_t> ids;
    for (int i = 0; i < 10; ++i) {
      Request r{{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, {}, {12, {}, {}}, /*log_probs=*/true};
      for (int n = 0; n < i % 4; ++n) r.prompt.push_back(static_cast<int32_t>(rng.below(50)));
      r.sampling = {.temperature = 1, .seed = 100u + i};
      ids.push_back(engine.submit(r));
    }
    std::map<int64_t, Answer> answers = run_all(engine);
    std::vector<Answer> in_order;
    for (const int64_t id : ids) in_order.push_back(answers.at(id));
    return in_order;
  }
  static bool same(const std::vector<Answer>& a, const std::vector<Answer>& b) {
    for (size_t i = 0; i < a.size(); ++i)
      if (a[i].tokens != b[i].tokens || a[i].log_probs != b[i].log_probs ||
          a[i].experts.ids != b[i].experts.ids)
        return false;
    return a.size() == b.size();
  }

  const Config config_ = GetParam().config;
  Device device_ = Device::named(GetParam().device, 1);
  Model model_ = make_model(device_, config_, GetParam().dtype);
};

TEST_P(WeightsChanged, GiveWhatANewEngineGives) {
  weights(1);
  Engine engine(device_, model_, nullptr, options());
  std::vector<Answer> before = rollout(engine);
  for (uint64_t version = 2; version < 6; ++version) {  // steps of a GPU are recorded the second time
    weights(version);
    engine.weights_changed();
    const std::vector<Answer> got = rollout(engine);
    Engine fresh(device_, model_, nullptr, options());
    EXPECT_TRUE(same(got, rollout(fresh))) << "version " << version;
    EXPECT_FALSE(same(got, before));
    before = got;
  }
}

// What the call is for.
TEST_P(WeightsChanged, WithoutTheCallOldPagesAreShared) {
  weights(1);
  Engine engine(device_, model_, nullptr, options());
  rollout(engine);
  weights(2);
  Engine fresh(device_, model_, nullptr, options());
  EXPECT_FALSE(same(rollout(engine), rollout(fresh)));
}

TEST_P(WeightsChanged, WaitsForWeightsThatAreOnTheirWay) {
  weights(1);
  std::vector<int64_t> asked;
  Engine engine(device_, model_, nullptr, options());
  model_.before_layer = [&](int64_t layer) { asked.push_back(layer); };
  engine.weights_changed();
  EXPECT_EQ(asked, (std::vector<int64_t>{-1, 0, 1, 2, 3}));
}

TEST_P(WeightsChanged, IsAnErrorWhileASequenceIsUnderWay) {
  weights(1);
  Engine engine(device_, model_, nullptr, options());
  const int64_t id = engine.submit({{1, 2}, {}, {5, {}, {}}});
  engine.step();
  EXPECT_NE(error_of([&] { engine.weights_changed(); }).find("1 sequences are under way"), std::string::npos);
  engine.abort(id);
  engine.weights_changed();
}

std::vector<Route> routes() {
  std::vector<Route> all = {{"v2_reference_f64", v2_like(), "reference", DType::f64},
                            {"v2_cpu_f32", v2_like(), "cpu", DType::f32},
                            {"v2_cpu_bf16", v2_like(), "cpu", DType::bf16},
                            {"v2_cpu_f32_absorbed", v2_like(), "cpu", DType::f32, true},
                            {"v2_cpu_f32_expanded", v2_like(), "cpu", DType::f32, false},
                            {"gqa_cpu_f32", gqa_like(), "cpu", DType::f32}};
  if (gpus() > 0) {
    all.push_back({"v2_cuda_f32", v2_like(), "cuda", DType::f32});
    all.push_back({"v2_cuda_bf16", v2_like(), "cuda", DType::bf16});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, WeightsChanged, ::testing::ValuesIn(routes()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace fathom::testing
