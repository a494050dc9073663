// Routing replay in training: what a router chose, given back to it, changes no bit of loss and gradients;
// and the router's own choice is kept beside what is given.
#include "model/expert_replay.h"

#include <gtest/gtest.h>

#include <cstring>

#include "support/gpus.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

using Bytes = std::vector<std::byte>;

// A forward and a backward pass, and everything that comes out of them.
class TrainingPass {
 public:
  TrainingPass(Device& device, const Config& config, DType dtype, const Recompute& recompute = {},
               double capacity_factor = 0)
      : device_(device), model_(make_model(device, config, dtype)) {
    initialize_weights(device, config, model_.weights, 1);
    HostBatch host = RandomBatch(config, {6, 6, 6}).host();
    if (capacity_factor > 0) host.exempt = {0, 1, 0};
    tokens_ = host.size().tokens;
    memory_ = Arena("a training pass",
                    activation_bytes(config, dtype, Purpose::training, host.size(), recompute) +
                        weight_bytes(config, gradient_types(dtype)) + replay_bytes(config, tokens_, tokens_) +
                        tokens_ * config.hidden_size * 8 + (1 << 14),
                    device);
    batch_ = allocate_batch(memory_, host.size());
    upload_batch(device, config, host, batch_);
    batch_.step.capacity_factor = capacity_factor;
    activations_ = allocate_activations(config, memory_, dtype, Purpose::training, host.size(), recompute);
    grads_.emplace(config, memory_, dtype);
    dhidden_ = memory_.allocate(dtype, {tokens_, config.hidden_size});
  }

  const HostReplay& replay(HostReplay host) {
    host_ = std::move(host);
    replay_ = allocate_replay(device_, model_.config, memory_, host_);
    batch_.replay = &replay_;
    return host_;
  }
  // Hidden states, balance losses and all gradients; `experts` of every MoE layer meanwhile.
  Bytes run() {
    Bytes all;
    const Tensor hidden = model_forward(device_, model_, batch_, activations_);
    append(all, hidden);
    append(all, activations_.balance_losses);
    for (int64_t l = 0; l < model_.config.num_hidden_layers; ++l)
      if (model_.config.is_moe_layer(l)) experts.push_back(ids_of(activations_.layer(l).moe.ids));
    copy(device_, dhidden_, hidden);  // as the gradient of half of its square
    model_backward(device_, model_, batch_, activations_, dhidden_, *grads_, 3);
    for (const NamedWeight& w : list_weights(model_.config, grads_->weights))
      if (w.weight.data && is_trained(w.info)) append(all, w.weight.data);
    return all;
  }
  ReplayedChoices compare() const { return compare_choices(device_, replay_, host_); }

  // As the engine would have recorded them.
  ChosenExperts chosen() const {
    const Config& c = model_.config;
    ChosenExperts all{.layers = c.n_moe_layers(), .k = c.num_experts_per_tok, .ids = {}};
    for (int64_t n = 0; n < tokens_; ++n)
      for (const auto& layer : experts)
        for (int64_t k = 0; k < all.k; ++k)
          all.ids.push_back(static_cast<uint16_t>(layer[static_cast<size_t>(n * all.k + k)]));
    return all;
  }
  int64_t tokens() const { return tokens_; }

  std::vector<std::vector<int32_t>> experts;  // of each MoE layer, [N * K]

 private:
  std::vector<int32_t> ids_of(const Tensor& t) const {
    std::vector<int32_t> ids(static_cast<size_t>(t.count()));
    download(device_, Tensor(ids.data(), DType::i32, {t.rows(), t.cols()}), t);
    return ids;
  }
  void append(Bytes& all, const Tensor& t) const {
    Staging staging(device_);
    const ConstTensor host = staging.read(t);
    ASSERT_TRUE(host.contiguous());
    const auto* data = static_cast<const std::byte*>(host.data);
    all.insert(all.end(), data, data + host.bytes());
  }

  Device& device_;
  Model model_;
  int64_t tokens_ = 0;
  Arena memory_;
  Batch batch_;
  Activations activations_;
  std::optional<WeightGradients> grads_;
  Tensor dhidden_;
  HostReplay host_;
  ExpertReplay replay_;
};

struct Where {
  std::string device;
  DType dtype;
};

class ExpertReplayTest : public ::testing::TestWithParam<Where> {
 protected:
  static std::vector<Config> configs() {
    Config biased = v2_like(), normalized = v2_like();
    biased.topk_method = TopkMethod::noaux_tc;
    normalized.norm_topk_prob = true;
    return {v2_like(), lite_like(), gqa_like(), biased, normalized};
  }
  DType dtype() const { return GetParam().dtype; }
  Device device_ = Device::named(GetParam().device, 2);
};

std::vector<Where> everywhere() {
  std::vector<Where> all = {{"reference", DType::f64}, {"cpu", DType::f32}, {"cpu", DType::bf16}};
  if (gpus() > 0) all.insert(all.end(), {{"cuda", DType::f32}, {"cuda", DType::bf16}});
  return all;
}
INSTANTIATE_TEST_SUITE_P(On, ExpertReplayTest, ::testing::ValuesIn(everywhere()), [](const auto& info) {
  return info.param.device + "_" + std::string(name_of(info.param.dtype));
});

TEST_P(ExpertReplayTest, TheOwnChoiceChangesNoBit) {
  for (const Config& config : configs())
    for (const double capacity_factor : {0.0, 0.7})
      for (const int64_t recomputed : {int64_t{0}, config.num_hidden_layers}) {
        const Recompute recompute{.layers = recomputed};
        TrainingPass own(device_, config, dtype(), {}, capacity_factor);
        const Bytes want = own.run();
        TrainingPass given(device_, config, dtype(), recompute, capacity_factor);
        HostReplay host{.given = {}, .rows = {}, .keep_choice = true};
        host.append(config, own.chosen());
        given.replay(host);
        EXPECT_TRUE(given.run() == want) << "capacity " << capacity_factor << ", " << recomputed << " layers";
        const ReplayedChoices compared = given.compare();
        EXPECT_EQ(compared.choices, own.tokens() * config.n_moe_layers() * config.num_experts_per_tok);
        EXPECT_EQ(compared.differing, 0);
      }
}

// Of another model's experts loss and gradients do differ; tokens that nothing is given for choose as ever.
TEST_P(ExpertReplayTest, OtherExpertsAreTakenAndCounted) {
  for (const Config& config : configs()) {
    const int64_t K = config.num_experts_per_tok, layers = config.n_moe_layers(), tokens = 18;
    TrainingPass own(device_, config, dtype());
    const Bytes want = own.run();
    ChosenExperts experts = own.chosen();
    // In the last layer, whose router sees what it saw before, two tokens each lose their second expert.
    const auto replace = [&](int64_t token) {
      uint16_t* ids = experts.ids.data() + (token * layers + layers - 1) * K;
      uint16_t other = 0;
      while (std::find(ids, ids + K, other) != ids + K) ++other;
      return ids[1] = other;
    };
    const uint16_t at_4 = replace(4), at_11 = replace(11);
    const auto run = [&](bool all) {
      TrainingPass given(device_, config, dtype());
      HostReplay host{.given = {}, .rows = {}, .keep_choice = true};
      const auto part = [&](int64_t first, int64_t n) {
        const auto begin = experts.ids.begin() + first * layers * K;
        host.append(config, {layers, K, {begin, begin + n * layers * K}});
      };
      part(0, 6);
      all ? part(6, 6) : host.append_own_choice(6);
      part(12, 6);
      given.replay(host);
      EXPECT_FALSE(given.run() == want);
      EXPECT_EQ(given.experts.back()[4 * K + 1], at_4);
      EXPECT_EQ(given.experts.back()[11 * K + 1] == at_11, all);
      const ReplayedChoices compared = given.compare();
      EXPECT_EQ(compared.choices, (all ? tokens : tokens - 6) * layers * K);
      EXPECT_EQ(compared.differing, all ? 2 : 1);
    };
    run(true);
    run(false);
  }
}

TEST(ExpertReplay, NothingGivenIsTheOwnChoice) {
  Device device = Device::reference();
  TrainingPass own(device, v2_like(), DType::f64), given(device, v2_like(), DType::f64);
  HostReplay host;
  host.append_own_choice(own.tokens());
  given.replay(host);
  EXPECT_TRUE(given.run() == own.run());
}

TEST(ExpertReplay, ExpertsOfAnotherModelAreErrors) {
  const Config c = v2_like();
  const auto complaint = [&](const ChosenExperts& experts) {
    return error_of([&] { HostReplay().append(c, experts); });
  };
  EXPECT_NE(complaint({1, 3, {1, 2, 3}}).find("3 experts in each of 1 layers"), std::string::npos);
  EXPECT_NE(complaint({2, 2, {1, 2, 3, 4}}).find("2 experts"), std::string::npos);
  EXPECT_NE(complaint({2, 3, {1, 2, 3, 4, 5, 8}}).find("expert 8"), std::string::npos);
  EXPECT_EQ(complaint({2, 3, {1, 2, 3, 4, 5, 7}}), "");
}

}  // namespace
}  // namespace fathom::testing
