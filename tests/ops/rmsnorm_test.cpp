#include "ops/rmsnorm.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class RmsNormTest : public OpTest {};
FATHOM_OP_TEST(RmsNormTest);

TEST_P(RmsNormTest, ForwardAndBackward) {
  for (int64_t N : {0, 1, 5, 17})
    for (int64_t C : {5, 8, 64, 131}) {  // at C = 1 dx is zero but for rounding
      const Pair x = random({N, C}), w = random({C}), dout = random({N, C});
      const Pair out = output({N, C}), rstd = output_stat({N});
      run(rmsnorm_forward, [&](auto pick) {
        return RmsNormForward{.out = pick(out), .rstd = pick(rstd), .x = pick(x), .w = pick(w), .eps = 1e-6};
      });
      expect_close("out", out);
      expect_close("rstd", rstd);
      enum class Residual { none, in_place, elsewhere };
      for (const Residual place : {Residual::none, Residual::in_place, Residual::elsewhere}) {
        const bool accumulate = place != Residual::none;
        const Pair residual = random({N, C}), dx = place == Residual::in_place ? residual : output({N, C}),
                   dw = accumulate ? random_stat({C}) : output_stat({C});
        run(rmsnorm_backward, [&](auto pick) {
          return RmsNormBackward{.dx = pick(dx),
                                 .residual = place == Residual::none ? Tensor() : pick(residual),
                                 .dw = pick(dw),
                                 .dout = pick(dout),
                                 .x = pick(x),
                                 .w = pick(w),
                                 .rstd = pick(rstd),
                                 .accumulate_dw = accumulate};
        });
        expect_close(accumulate ? "dx, added" : "dx, written", dx);
        expect_close(accumulate ? "dw, added" : "dw, written", dw);
      }
      const Pair alone = output({N, C});
      run(rmsnorm_backward, [&](auto pick) {
        return RmsNormBackward{
            .dx = pick(alone), .dw = {}, .dout = pick(dout), .x = pick(x), .w = pick(w), .rstd = pick(rstd)};
      });
      expect_close("dx, without dw", alone);
    }
}

TEST_P(RmsNormTest, WorksOnColumnSlicesInPlace) {
  const Pair wide = random({6, 40}), w = random({24});
  const Pair x = columns(wide, 3, 24);
  run(rmsnorm_forward, [&](auto pick) { return RmsNormForward{.out = pick(x), .x = pick(x), .w = pick(w)}; });
  expect_close("whole row, the other columns unchanged", wide);
}

TEST_P(RmsNormTest, GradientsMatchDifferences) {
  const Pair x = random({3, 9}), w = random({9}), dout = random({3, 9}), out = output({3, 9});
  const Pair rstd = output_stat({3}), dx = output({3, 9}),
             dw = filled({9}, stat(), [](int64_t) { return 0; });
  auto forward = [&](Device& d) {
    rmsnorm_forward(d, {.out = out.ref, .rstd = rstd.ref, .x = x.ref, .w = w.ref, .eps = 1e-3});
  };
  Device reference = Device::reference();
  forward(reference);
  rmsnorm_backward(reference,
                   {.dx = dx.ref, .dw = dw.ref, .dout = dout.ref, .x = x.ref, .w = w.ref, .rstd = rstd.ref});
  expect_gradient("dx", x.ref, dx.ref, out.ref, dout.ref, forward);
  expect_gradient("dw", w.ref, dw.ref, out.ref, dout.ref, forward);
}

TEST_P(RmsNormTest, NamesTheFieldThatIsWrong) {
  const Pair x = random({3, 9}), w = random({8}), out = output({3, 9});
  EXPECT_THROW(rmsnorm_forward(device_, {.out = out.target, .x = x.target, .w = w.target}), Error);
}

}  // namespace
}  // namespace fathom::testing
