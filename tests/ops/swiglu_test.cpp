#include "ops/swiglu.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class SwigluTest : public OpTest {};
FATHOM_OP_TEST(SwigluTest);

TEST_P(SwigluTest, ForwardAndBackward) {
  for (int64_t N : {1, 5})
    for (int64_t F : {1, 8, 37, 64}) {
      const Pair gate_up = random({N, 2 * F}, 3), out = output({N, F}), dout = random({N, F}),
                 dgate_up = output({N, 2 * F});
      run(swiglu_forward,
          [&](auto pick) { return SwigluForward{.out = pick(out), .gate_up = pick(gate_up)}; });
      expect_close("out", out);
      for (const Pair& gradient : {dgate_up, gate_up}) {  // the second time in place
        run(swiglu_backward, [&](auto pick) {
          return SwigluBackward{.dgate_up = pick(gradient), .dout = pick(dout), .gate_up = pick(gate_up)};
        });
        expect_close("dgate_up", gradient);
      }
    }
}

TEST_P(SwigluTest, ExtremeGates) {
  const double gates[] = {-1e4, -104, -89, -20, -1e-6, 0, 20, 89, 1e4};
  const Pair gate_up = filled({1, 18}, any(), [&](int64_t i) { return i < 9 ? gates[i] : 1; });
  const Pair out = output({1, 9}), dout = filled({1, 9}, any(), [](int64_t) { return 1; }),
             dgate_up = output({1, 18});
  run(swiglu_forward, [&](auto pick) { return SwigluForward{.out = pick(out), .gate_up = pick(gate_up)}; });
  run(swiglu_backward, [&](auto pick) {
    return SwigluBackward{.dgate_up = pick(dgate_up), .dout = pick(dout), .gate_up = pick(gate_up)};
  });
  for (int64_t i = 0; i < 9; ++i) {
    const double want = element(out.ref, 0, i), slope = element(dgate_up.ref, 0, i);
    EXPECT_NEAR(element(out.target, 0, i), want, tolerance(any()) * std::abs(want) + 1e-30) << gates[i];
    EXPECT_NEAR(element(dgate_up.target, 0, i), slope, tolerance(any()) * std::abs(slope) + 1e-30);
  }
}

TEST_P(SwigluTest, NanIsNotHidden) {
  for (int64_t bad : {0, 1}) {
    const Pair gate_up = filled({1, 2}, any(), [&](int64_t i) { return i == bad ? NAN : 1; });
    const Pair out = random({1, 1});
    swiglu_forward(device_, {.out = out.target, .gate_up = gate_up.target});
    EXPECT_TRUE(std::isnan(element(out.target, 0, 0)));
  }
}

TEST_P(SwigluTest, GradientMatchesDifferences) {
  const Pair gate_up = random({3, 10}), out = output({3, 5}), dout = random({3, 5}),
             dgate_up = output({3, 10});
  Device reference = Device::reference();
  swiglu_backward(reference, {.dgate_up = dgate_up.ref, .dout = dout.ref, .gate_up = gate_up.ref});
  expect_gradient("dgate_up", gate_up.ref, dgate_up.ref, out.ref, dout.ref,
                  [&](Device& d) { swiglu_forward(d, {.out = out.ref, .gate_up = gate_up.ref}); });
}

TEST_P(SwigluTest, NamesTheFieldThatIsWrong) {
  const Pair gate_up = random({3, 9}), out = output({3, 4});
  EXPECT_THROW(swiglu_forward(device_, {.out = out.target, .gate_up = gate_up.target}), Error);
}

}  // namespace
}  // namespace fathom::testing
