#include "ops/adamw.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class AdamWTest : public OpTest {
 protected:
  // The op's arguments on one side: the weights themselves where they are stat, else bf16 with a master copy.
  template <class Pick>
  AdamW arguments(Pick pick, int64_t step) {
    const bool rounded = pick(w_).dtype == DType::bf16;
    return {.w = rounded ? pick(w_) : pick(master_),
            .master = rounded ? pick(master_) : Tensor{},
            .grad = pick(grad_),
            .m = pick(m_),
            .v = pick(v_),
            .lr = 3e-3,
            .weight_decay = 0.2,
            .grad_scale = 0.5,
            .step = step};
  }
  void prepare(int64_t n) {
    w_ = output({n}), master_ = random_stat({n}), grad_ = random_stat({n});
    m_ = filled({n}, stat(), [](int64_t) { return 0; }), v_ = filled({n}, stat(), [](int64_t) { return 0; });
  }
  Pair w_, master_, grad_, m_, v_;
};
FATHOM_OP_TEST(AdamWTest);

TEST_P(AdamWTest, SeveralSteps) {
  for (int64_t n : {1, 13, 5000}) {
    prepare(n);
    for (int64_t step = 1; step <= 6; ++step) {
      run(adamw, [&](auto pick) { return arguments(pick, step); });
      expect_close("w", master_);
      expect_close("m", m_);
      expect_close("v", v_);
      for (int64_t i = 0; i < n; ++i) {
        grad_.ref.as<double>()[i] *= -0.75;
        grad_.target.as<float>()[i] *= -0.75f;
      }
    }
    if (any() != DType::bf16) continue;
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(element(w_.target, 0, i), static_cast<float>(bf16(master_.target.as<float>()[i])));
  }
}

// Against the update as the paper's algorithm 2 writes it: decay first, then the corrected moments.
TEST_P(AdamWTest, FollowsThePaper) {
  prepare(40);
  std::vector<double> w(40), m(40, 0.0), v(40, 0.0);
  for (int i = 0; i < 40; ++i) w[i] = master_.ref.as<double>()[i];
  Device reference = Device::reference();
  for (int64_t t = 1; t <= 5; ++t) {
    adamw(reference, arguments([](const Pair& p) { return p.ref; }, t));
    for (int i = 0; i < 40; ++i) {
      const double g = 0.5 * grad_.ref.as<double>()[i];
      m[i] += (1 - 0.9) * (g - m[i]);
      v[i] += (1 - 0.95) * (g * g - v[i]);
      const double m_hat = m[i] / (1 - std::pow(0.9, t)), v_hat = v[i] / (1 - std::pow(0.95, t));
      w[i] = w[i] * (1 - 3e-3 * 0.2) - 3e-3 * m_hat / (std::sqrt(v_hat) + 1e-8);
      EXPECT_NEAR(master_.ref.as<double>()[i], w[i], 1e-14);
      grad_.ref.as<double>()[i] += 0.1 * i - 2;
    }
  }
}

TEST_P(AdamWTest, ZeroGradientsOnlyDecay) {
  prepare(11);
  grad_ = filled({11}, stat(), [](int64_t) { return 0; });
  const double before = element(master_.target, 0, 10);
  run(adamw, [&](auto pick) { return arguments(pick, 1); });
  EXPECT_NEAR(element(master_.target, 0, 10), before * (1 - 3e-3 * 0.2), 1e-7);
}

TEST_P(AdamWTest, NamesTheFieldThatIsWrong) {
  prepare(8);
  const AdamW good = arguments([](const Pair& p) { return p.target; }, 1);
  AdamW bad = good;
  bad.step = 0;
  EXPECT_THROW(adamw(device_, bad), Error);
  bad = good;
  bad.m = bad.m.columns(0, 7);
  EXPECT_THROW(adamw(device_, bad), Error);
  bad = good;
  bad.master = bad.master ? Tensor{} : bad.grad;
  EXPECT_THROW(adamw(device_, bad), Error);
}

}  // namespace
}  // namespace fathom::testing
