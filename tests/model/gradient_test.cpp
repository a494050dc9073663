// The whole objective (a random linear function of the hidden states, plus the balance loss) against central
// differences in f64, through the production forward and backward passes.
#include <gtest/gtest.h>

#include "support/small_model.h"
#include "tensor/compare.h"

namespace fathom::testing {
namespace {

struct Objective {
  Objective(const Config& config, Purpose purpose)
      : model(random_model(config, DType::f64)),
        batch(config, {5, 1, 4}),
        memory("test", activation_bytes(config, DType::f64, purpose, batch.size()) +
                           weight_bytes(config, DType::f64) + (1 << 16)),
        activations(allocate_activations(config, memory, DType::f64, purpose, batch.size())),
        grads(config, memory, DType::f64),
        dhidden(memory.allocate(DType::f64, {batch.size().tokens, config.hidden_size})) {
    Rng rng(3);
    for (int64_t i = 0; i < dhidden.count(); ++i) dhidden.as<double>()[i] = rng.normal();
    for (const NamedWeight& w : list_weights(config, model.weights))  // norms and biases away from 1 and 0
      if (w.weight.data.rank == 1)
        for (int64_t i = 0; i < w.weight.data.count(); ++i)
          w.weight.data.as<double>()[i] += 0.2 * rng.normal();
  }

  double value() {
    const Tensor hidden = model_forward(device, model, batch.batch, activations);
    double sum = balance_weight * activations.balance_loss.as<double>()[0];
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
  Arena memory;
  Activations activations;
  WeightGradients grads;
  Tensor dhidden;
};

void expect_gradients(const Config& config, Purpose purpose) {
  Objective objective(config, purpose);
  objective.gradient();
  const auto weights = list_weights(config, objective.model.weights),
             grads = list_weights(config, objective.grads.weights);
  Rng rng(11);
  for (size_t i = 0; i < weights.size(); ++i) {
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
  expect_gradients(v2_like(), Purpose::training);
}
TEST(ModelGradient, LiteLike) {
  expect_gradients(lite_like(), Purpose::training);
}
TEST(ModelGradient, WithRecomputation) {
  expect_gradients(v2_like(), Purpose::training_recompute);
}

TEST(ModelGradient, RecomputationChangesNoBit) {
  for (const Config& config : {v2_like(), lite_like()}) {
    Objective kept(config, Purpose::training), recomputed(config, Purpose::training_recompute);
    kept.gradient();
    recomputed.gradient();
    const auto a = list_weights(config, kept.grads.weights),
               b = list_weights(config, recomputed.grads.weights);
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_EQ(relative_error(b[i].weight.data, a[i].weight.data), 0) << a[i].info.name;
    EXPECT_GT(kept.activations.balance_loss.as<double>()[0], 0);
  }
}

}  // namespace
}  // namespace fathom::testing
