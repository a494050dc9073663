#include "ops/adamw.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class AdamWTest : public OpTest {
 protected:
  // One parameter of n elements.
  struct Parameter {
    Pair w, master, grad, m, v;
    bool decayed;
    bool f32 = false;  // stored in the accumulator's type beside others that are not
  };
  void add(int64_t n, bool decayed = true, bool f32 = false) {
    const auto zero = [](int64_t) { return 0; };
    parameters_.push_back({output({n}), random_stat({n}), random_stat({n}), filled({n}, stat(), zero),
                           filled({n}, stat(), zero), decayed, f32});
  }
  // The op's arguments on one side: the weights themselves where they are stat, else bf16 with a master copy.
  template <class Pick>
  AdamW arguments(Pick pick, int64_t step, double beta2 = 0.95) {
    tensors_.clear();
    for (const Parameter& p : parameters_) {
      const bool rounded = pick(p.w).dtype == DType::bf16 && !p.f32;
      tensors_.push_back({.w = rounded ? pick(p.w) : pick(p.master),
                          .master = rounded ? pick(p.master) : Tensor{},
                          .grad = pick(p.grad),
                          .m = pick(p.m),
                          .v = pick(p.v),
                          .decayed = p.decayed});
    }
    return {.tensors = tensors_,
            .lr = 3e-3,
            .beta2 = beta2,
            .weight_decay = 0.2,
            .grad_scale = 0.5,
            .step = step};
  }
  void expect_steps(int64_t steps, double beta2 = 0.95) {
    for (int64_t step = 1; step <= steps; ++step) {
      run(adamw, [&](auto pick) { return arguments(pick, step, beta2); });
      for (const Parameter& p : parameters_) {
        expect_close("w", p.master);
        expect_close("m", p.m);
        expect_close("v", p.v);
        for (int64_t i = 0; i < p.grad.ref.count(); ++i) {
          p.grad.ref.as<double>()[i] *= -0.75;
          p.grad.target.as<float>()[i] *= -0.75f;
        }
      }
    }
    if (any() != DType::bf16) return;
    for (const Parameter& p : parameters_)
      for (int64_t i = 0; !p.f32 && i < p.w.ref.count(); ++i)
        ASSERT_EQ(element(p.w.target, 0, i), static_cast<float>(bf16(p.master.target.as<float>()[i])));
  }
  std::vector<Parameter> parameters_;
  std::vector<AdamWTensor> tensors_;
};
FATHOM_OP_TEST(AdamWTest);

TEST_P(AdamWTest, SeveralSteps) {
  for (int64_t n : {1, 13, 5000}) {
    parameters_.clear();
    add(n);
    expect_steps(6);
  }
}

// Of every size at once, more than a launch takes, some larger than a block does.
TEST_P(AdamWTest, ManyTensorsAtOnce) {
  for (int64_t i = 0; i < 150; ++i) add(1 + i * 37 % 100, i % 3 > 0);
  add(200000), add(0), add(65536, false);
  expect_steps(2);
}

// Routers stay f32 in a bf16 model.
TEST_P(AdamWTest, StoredInTwoTypes) {
  add(700), add(130, true, true), add(9, false), add(3000, true, true);
  expect_steps(3);
}

// 1 - beta2 is worked out in double precision.
TEST_P(AdamWTest, SlowSecondMoments) {
  add(300);
  expect_steps(3, 0.99999);
}

// Against the update as the paper's algorithm 2 writes it: decay first, then the corrected moments.
TEST_P(AdamWTest, FollowsThePaper) {
  add(40);
  const Parameter& p = parameters_[0];
  std::vector<double> w(40), m(40, 0.0), v(40, 0.0);
  for (int i = 0; i < 40; ++i) w[i] = p.master.ref.as<double>()[i];
  Device reference = Device::reference();
  for (int64_t t = 1; t <= 5; ++t) {
    adamw(reference, arguments([](const Pair& pair) { return pair.ref; }, t));
    for (int i = 0; i < 40; ++i) {
      const double g = 0.5 * p.grad.ref.as<double>()[i];
      m[i] += (1 - 0.9) * (g - m[i]);
      v[i] += (1 - 0.95) * (g * g - v[i]);
      const double m_hat = m[i] / (1 - std::pow(0.9, t)), v_hat = v[i] / (1 - std::pow(0.95, t));
      w[i] = w[i] * (1 - 3e-3 * 0.2) - 3e-3 * m_hat / (std::sqrt(v_hat) + 1e-8);
      EXPECT_NEAR(p.master.ref.as<double>()[i], w[i], 1e-14);
      p.grad.ref.as<double>()[i] += 0.1 * i - 2;
    }
  }
}

TEST_P(AdamWTest, ZeroGradientsOnlyDecay) {
  add(11), add(11, false);
  std::vector<double> before;
  for (Parameter& p : parameters_) {
    p.grad = filled({11}, stat(), [](int64_t) { return 0; });
    before.push_back(element(p.master.target, 0, 10));
  }
  run(adamw, [&](auto pick) { return arguments(pick, 1); });
  EXPECT_NEAR(element(parameters_[0].master.target, 0, 10), before[0] * (1 - 3e-3 * 0.2), 1e-7);
  EXPECT_EQ(element(parameters_[1].master.target, 0, 10), before[1]);
}

TEST_P(AdamWTest, NamesTheFieldThatIsWrong) {
  add(8);
  AdamW a = arguments([](const Pair& p) { return p.target; }, 0);
  EXPECT_THROW(adamw(device_, a), Error);
  a.step = 1;
  EXPECT_NO_THROW(adamw(device_, a));
  const AdamWTensor good = tensors_[0];
  tensors_[0].m = good.m.columns(0, 7);
  EXPECT_THROW(adamw(device_, a), Error);
  tensors_[0] = good;
  tensors_[0].master = good.master ? Tensor{} : good.grad;
  EXPECT_THROW(adamw(device_, a), Error);
}

}  // namespace
}  // namespace fathom::testing
