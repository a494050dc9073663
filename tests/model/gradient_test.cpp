// The whole objective (a random linear function of the hidden states, plus the balance losses) against
// central differences in f64, through the production forward and backward passes.
#include <gtest/gtest.h>

#include <numeric>

#include "model/expert_replay.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

struct Objective {
  explicit Objective(const Config& config, const Recompute& recompute = {})
      : model(random_model(config, DType::f64)),
        batch(config, {5, 1, 4}),
        memory("test", activation_bytes(config, DType::f64, Purpose::training, batch.size(), recompute) +
                           weight_bytes(config, DType::f64) + (1 << 16)),
        activations(
            allocate_activations(config, memory, DType::f64, Purpose::training, batch.size(), recompute)),
        grads(config, memory, DType::f64),
        dhidden(memory.allocate(DType::f64, {batch.size().tokens, config.hidden_size})) {
    batch.batch.step.device_alpha = 0.04, batch.batch.step.communication_alpha = 0.03;
    Rng rng(3);
    for (int64_t i = 0; i < dhidden.count(); ++i) dhidden.as<double>()[i] = rng.normal();
    for (const NamedWeight& w : list_weights(config, model.weights))  // norms and biases away from 1 and 0
      if (w.weight.data.rank == 1)
        for (int64_t i = 0; i < w.weight.data.count(); ++i)
          w.weight.data.as<double>()[i] += 0.2 * rng.normal();
  }

  // Of two units the first drops choices, the second is exempt.
  void drop(double capacity_factor) {
    exempt = {0, 1};
    batch.batch.exempt = Tensor(exempt.data(), DType::i32, {2});
    batch.batch.step.capacity_factor = capacity_factor;
    activations.choices.dropped = memory.allocate(DType::i32, {model.config.num_hidden_layers});
    clear(device, activations.choices.dropped);
  }
  // Experts that the router knows nothing of; of every third token its own choice.
  void replay() {
    const Config& c = model.config;
    const int64_t K = c.num_experts_per_tok, E = c.n_routed_experts;
    HostReplay host;
    for (int64_t n = 0; n < batch.size().tokens; ++n) {
      if (n % 3 == 2) {
        host.append_own_choice(1);
        continue;
      }
      ChosenExperts experts{.layers = c.n_moe_layers(), .k = K, .ids = {}};
      for (int64_t l = 0; l < c.n_moe_layers(); ++l)
        for (int64_t k = 0; k < K; ++k) experts.ids.push_back(static_cast<uint16_t>((n * 5 + k * 3 + l) % E));
      host.append(c, experts);
    }
    given = allocate_replay(device, c, memory, host);
    batch.batch.replay = &given;
  }
  double value() {
    const Tensor hidden = model_forward(device, model, batch.batch, activations);
    double sum = 0;
    for (int64_t level = 0; level < 3; ++level)
      sum += balance_weight * activations.balance_losses.as<double>()[level];
    for (int64_t i = 0; i < hidden.count(); ++i) sum += hidden.as<double>()[i] * dhidden.as<double>()[i];
    return sum;
  }
  void gradient() {
    value();
    model_backward(device, model, batch.batch, activations, dhidden, grads, balance_weight);
  }

  static constexpr double balance_weight = 3;
  Device device = Device::reference();
  Model model;
  RandomBatch batch;
  std::vector<int32_t> exempt;
  ExpertReplay given;
  Arena memory;
  Activations activations;
  WeightGradients grads;
  Tensor dhidden;
};

void expect_gradients(const Config& config, const Recompute& recompute = {}, double capacity_factor = 0,
                      bool replayed = false) {
  Objective objective(config, recompute);
  if (replayed) objective.replay();
  if (capacity_factor > 0) objective.drop(capacity_factor);
  objective.gradient();
  if (capacity_factor > 0) {
    const int32_t* dropped = objective.activations.choices.dropped.as<int32_t>();
    EXPECT_GT(std::accumulate(dropped, dropped + config.num_hidden_layers, 0), 3);
  }
  const auto weights = list_weights(config, objective.model.weights),
             grads = list_weights(config, objective.grads.weights);
  Rng rng(11);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!is_trained(weights[i].info)) continue;
    // Twelve random directions' worth of single coordinates per tensor.
    double difference = 0, norm = 0;
    for (int k = 0; k < 12; ++k) {
      const auto at = static_cast<int64_t>(rng.below(static_cast<uint64_t>(weights[i].weight.data.count())));
      double& x = weights[i].weight.data.as<double>()[at];
      const double saved = x, h = 1e-5;
      x = saved + h;
      const double up = objective.value();
      x = saved - h;
      const double down = objective.value();
      x = saved;
      const double numeric = (up - down) / (2 * h), analytic = grads[i].weight.data.as<double>()[at];
      difference += (numeric - analytic) * (numeric - analytic), norm += numeric * numeric;
    }
    EXPECT_LE(std::sqrt(difference), 1e-6 * std::sqrt(norm) + 1e-8) << weights[i].info.name;
  }
}

TEST(ModelGradient, V2Like) {
  expect_gradients(v2_like());
}
TEST(ModelGradient, LiteLike) {
  expect_gradients(lite_like());
  expect_gradients(gqa_like());
  expect_gradients(llama_like());
}
// Biases of 0.2 and less, beside which another choice than the unbiased one is the rule.
TEST(ModelGradient, ChosenWithABias) {
  for (const bool normalize : {false, true}) {
    Config config = v2_like();
    config.topk_method = TopkMethod::noaux_tc, config.norm_topk_prob = normalize;
    expect_gradients(config);
    expect_gradients(config, {.layers = config.num_hidden_layers}, 0.7);
  }
}
// Of A and B alone, through all that is frozen.
TEST(ModelGradient, WithAdapters) {
  for (const Config& config : {v2_like(), lite_like(), gqa_like(), llama_like()})
    expect_gradients(with_lora(config));
  expect_gradients(with_lora(v2_like()), {.layers = 3}, 0.7);
}
TEST(ModelGradient, WithRecomputation) {
  expect_gradients(v2_like(), {.layers = v2_like().num_hidden_layers});
}

// Each part alone, all of them, and whole layers, some and all.
std::vector<Recompute> all_recomputations(const Config& config) {
  std::vector<Recompute> all = {{.layers = config.num_hidden_layers}, {.layers = 1}};
  const std::vector<std::string> parts = {"norms", "swiglu", "up_projections", "attention", "dispatch"};
  for (const std::string& part : parts) all.emplace_back().set_parts("test", {part});
  all.emplace_back().set_parts("test", parts);
  all.push_back(all.back());
  all.back().layers = 2;
  return all;
}

// A dropped choice adds nothing and has no gradient; of normalised weights its score still divides the
// others.
TEST(ModelGradient, WithDroppedChoices) {
  expect_gradients(v2_like(), {}, 0.7);
  expect_gradients(v2_like(), {.layers = v2_like().num_hidden_layers}, 0.7);
  expect_gradients(lite_like(), {}, 0.6);
}

// The given experts are constants; their weights are not. A balance loss is that of the given choices.
TEST(ModelGradient, WithGivenExperts) {
  for (const TopkMethod method : {TopkMethod::group_limited_greedy, TopkMethod::noaux_tc})
    for (const bool normalize : {false, true}) {
      Config config = v2_like();
      config.topk_method = method, config.norm_topk_prob = normalize;
      expect_gradients(config, {}, 0, /*replayed=*/true);
      expect_gradients(config, {.layers = config.num_hidden_layers}, 0.7, /*replayed=*/true);
    }
  expect_gradients(lite_like(), {}, 0, /*replayed=*/true);
  expect_gradients(lite_like(), {}, 0.6, /*replayed=*/true);
  expect_gradients(gqa_like(), {}, 0, /*replayed=*/true);
}

TEST(ModelGradient, RecomputationChangesNoBit) {
  for (const Config& config : {v2_like(), lite_like(), gqa_like(), llama_like(), with_lora(v2_like())})
    for (const double capacity_factor : {0.0, 0.7}) {
      const auto gradient = [&](Objective& objective) {
        if (capacity_factor > 0) objective.drop(capacity_factor);
        objective.gradient();
        return list_weights(config, objective.grads.weights);
      };
      Objective kept(config);
      const auto want = gradient(kept);
      EXPECT_EQ(kept.activations.balance_losses.as<double>()[0] > 0, config.n_moe_layers() > 0);
      for (const Recompute& recompute : all_recomputations(config)) {
        Objective recomputed(config, recompute);
        const auto got = gradient(recomputed);
        for (size_t i = 0; i < want.size(); ++i) {
          if (!want[i].weight) continue;  // frozen
          EXPECT_EQ(relative_error(got[i].weight.data, want[i].weight.data), 0) << want[i].info.name;
        }
      }
    }
}

TEST(ModelGradient, RecomputationTakesLessMemory) {
  const BatchSize size = {64, 2, 64};
  const auto bytes = [&](const Config& config, const Recompute& recompute) {
    return activation_bytes(config, DType::f32, Purpose::training, size, recompute);
  };
  Config config = lite_like();
  config.num_hidden_layers = 6;
  for (const Recompute& recompute : all_recomputations(config)) {
    if (recompute.layers == 1) continue;  // one layer shares with no other
    EXPECT_LT(bytes(config, recompute), bytes(config, {}))
        << recompute.layers << recompute.norms << recompute.swiglu << recompute.up_projections
        << recompute.attention << recompute.dispatch;
  }
}

TEST(ModelGradient, UnknownPartsAreNamed) {
  EXPECT_NE(error_of([] {
              Recompute().set_parts("run.recompute_parts", {"norms", "swiglus"});
            }).find("run.recompute_parts: 'swiglus'"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
