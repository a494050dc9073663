#include "ops/linear.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class LinearTest : public OpTest {
 protected:
  void forward(const Pair& out, const Pair& x, const Pair& w, const Pair& bias = {}) {
    run(linear_forward, [&](auto pick) {
      return LinearForward{.out = pick(out), .x = pick(x), .w = pick(w), .bias = pick(bias)};
    });
    expect_close("out", out);
    if (bias.ref) return;
    const Pair added = like(out);
    run(linear_forward, [&](auto pick) {
      return LinearForward{.out = pick(added), .x = pick(x), .w = pick(w), .accumulate = true};
    });
    expect_close("out, added", added);
  }
  // Of the shape and type of an output, with something in it.
  Pair like(const Pair& out) {
    const auto start = [](int64_t i) { return 1 + 0.25 * static_cast<double>(i % 7); };
    return filled({out.ref.rows(), out.ref.cols()}, out.target.dtype, start);
  }
  void backward(const Pair& dx, const Pair& dw, const Pair& dout, const Pair& x, const Pair& w,
                const Pair& dbias = {}) {
    backward_input(dx, dout, w, false);
    backward_input(like(dx), dout, w, true);
    backward_weight(dw, dout, x, dbias, true);
    const Pair unwritten = output_stat({dw.ref.rows(), dw.ref.cols()});
    backward_weight(unwritten, dout, x, dbias.ref ? output_stat({dbias.ref.cols()}) : Pair(), false);
  }
  void backward_input(const Pair& dx, const Pair& dout, const Pair& w, bool accumulate) {
    run(linear_backward_input, [&](auto pick) {
      return LinearBackwardInput{.dx = pick(dx), .dout = pick(dout), .w = pick(w), .accumulate = accumulate};
    });
    expect_close(accumulate ? "dx, added" : "dx, written", dx);
  }
  void backward_weight(const Pair& dw, const Pair& dout, const Pair& x, const Pair& dbias, bool accumulate) {
    SCOPED_TRACE(accumulate ? "added" : "written");
    run(linear_backward_weight, [&](auto pick) {
      return LinearBackwardWeight{
          .dw = pick(dw), .dbias = pick(dbias), .dout = pick(dout), .x = pick(x), .accumulate = accumulate};
    });
    expect_close("dw", dw);
    if (dbias.ref) expect_close("dbias", dbias);
  }
};
FATHOM_OP_TEST(LinearTest);

TEST_P(LinearTest, OddShapes) {
  for (int64_t N : {1, 3, 8, 9, 53})
    for (int64_t O : {1, 7, 16, 67})
      for (int64_t I : {1, 13, 64, 97}) {
        SCOPED_TRACE(::testing::Message() << "N=" << N << " O=" << O << " I=" << I);
        const Pair x = random({N, I}), w = random({O, I}), bias = random({O});
        forward(output({N, O}), x, w, bias);
        forward(output({N, O}), x, w);
        backward(output({N, I}), random_stat({O, I}), random({N, O}), x, w, random_stat({O}));
      }
}

TEST_P(LinearTest, ManyBlocks) {  // more than one block in every dimension
  const int64_t N = 301, O = 547, I = 293;
  const Pair x = random({N, I}), w = random({O, I});
  forward(output({N, O}), x, w, random({O}));
  backward(output({N, I}), random_stat({O, I}), random({N, O}), x, w, random_stat({O}));
}

TEST_P(LinearTest, NoRows) {
  const Pair x = random({0, 5}), w = random({7, 5}), dw = random_stat({7, 5}), dbias = random_stat({7});
  forward(output({0, 7}), x, w);
  backward(output({0, 5}), dw, random({0, 7}), x, w, dbias);
}

TEST_P(LinearTest, ColumnSlices) {
  for (int64_t N : {2, 21}) {
    const int64_t O = 19, I = 23;
    const Pair x_wide = random({N, 40}), dout_wide = random({N, 30}), dx_wide = random({N, 40});
    const Pair out_wide = random({N, 33}), w = random({O, I});
    const Pair x = columns(x_wide, 5, I), dout = columns(dout_wide, 2, O), out = columns(out_wide, 7, O);
    forward(out, x, w);
    expect_close("out, the other columns unchanged", out_wide);
    backward(columns(dx_wide, 11, I), random_stat({O, I}), dout, x, w);
    expect_close("dx, the other columns unchanged", dx_wide);
  }
}

// Logits and their gradient are f32 with bf16 weights, and are not rounded to bf16.
TEST_P(LinearTest, F32Outside) {
  for (int64_t N : {3, 37}) {
    const int64_t O = 41, I = 70;
    const Pair x = random({N, I}), w = random({O, I}), out = output_stat({N, O}), dout = random_stat({N, O});
    forward(out, x, w, random({O}));
    backward(output({N, I}), random_stat({O, I}), dout, x, w, random_stat({O}));
  }
}

// A router's weight is f32 beside bf16 activations, and not rounded to bf16 on the way. Few rows and many,
// and sizes that the tensor cores do not take.
TEST_P(LinearTest, F32Weight) {
  for (int64_t N : {0, 1, 5, 16, 17, 65, 512, 513})
    for (int64_t I : {13, 72, 640})
      for (int64_t O : {6, 33}) {
        SCOPED_TRACE(::testing::Message() << "N=" << N << " O=" << O << " I=" << I);
        const Pair x = random({N, I}), w = random_stat({O, I});
        forward(output_stat({N, O}), x, w);
        forward(output_stat({N, O}), x, w, random({O}));
        backward(output({N, I}), random_stat({O, I}), random_stat({N, O}), x, w);
      }
}

// Two outputs whose weights and gradients nearly cancel: dx is what bf16 would not see of either. To an f32
// dx the cancellation would show f32's own rounding.
TEST_P(LinearTest, F32WeightsDifferenceReachesTheInput) {
  if (any() != DType::bf16) return;
  for (int64_t N : {3, 40}) {
    const int64_t I = 24;
    const Pair row = random_stat({I}), dout = random_stat({N, 2});
    const Pair w = filled({2, I}, stat(), [&](int64_t i) {
      return element(row.ref, 0, i % I) * (i < I ? 1 : 1 + 1e-4 * static_cast<double>(i - I + 1));
    });
    const Pair pair = filled({N, 2}, stat(), [&](int64_t i) {
      return i % 2 ? -element(dout.ref, i / 2, 0) : element(dout.ref, i / 2, 0);
    });
    backward(output({N, I}), random_stat({2, I}), pair, random({N, I}), w);
  }
}

TEST_P(LinearTest, F32WeightInColumnSlices) {
  for (int64_t N : {2, 70}) {
    const int64_t O = 16, I = 24;
    const Pair x_wide = random({N, 40}), dout_wide = random_stat({N, 32}), dx_wide = random({N, 40});
    const Pair out_wide = random_stat({N, 32}), w_wide = random_stat({O, 48});
    const Pair x = columns(x_wide, 8, I), w = columns(w_wide, 16, I);
    forward(columns(out_wide, 8, O), x, w);
    expect_close("out, the other columns unchanged", out_wide);
    backward(columns(dx_wide, 8, I), random_stat({O, I}), columns(dout_wide, 8, O), x, w);
    expect_close("dx, the other columns unchanged", dx_wide);
  }
}

TEST_P(LinearTest, GradientsMatchDifferences) {
  const Pair x = random({3, 5}), w = random({4, 5}), bias = random({4}), dout = random({3, 4});
  const Pair out = output({3, 4}), dx = output({3, 5});
  const Pair dw = filled({4, 5}, stat(), [](int64_t) { return 0; });
  const Pair dbias = filled({4}, stat(), [](int64_t) { return 0; });
  auto forward = [&](Device& d) {
    linear_forward(d, {.out = out.ref, .x = x.ref, .w = w.ref, .bias = bias.ref});
  };
  Device reference = Device::reference();
  linear_backward_input(reference, {.dx = dx.ref, .dout = dout.ref, .w = w.ref});
  linear_backward_weight(reference, {.dw = dw.ref, .dbias = dbias.ref, .dout = dout.ref, .x = x.ref});
  expect_gradient("dx", x.ref, dx.ref, out.ref, dout.ref, forward);
  expect_gradient("dw", w.ref, dw.ref, out.ref, dout.ref, forward);
  expect_gradient("dbias", bias.ref, dbias.ref, out.ref, dout.ref, forward);
}

TEST_P(LinearTest, NamesTheFieldThatIsWrong) {
  const Tensor x = random({3, 9}).target, w = random({4, 9}).target, out = output({3, 4}).target;
  const Tensor dw = random_stat({4, 9}).target, narrow = random({4, 8}).target, bias = random({5}).target;
  const Tensor wrong = integers({3, 4}).target;
  EXPECT_THROW(linear_forward(device_, {.out = out, .x = x, .w = narrow}), Error);
  EXPECT_THROW(linear_forward(device_, {.out = out, .x = x, .w = w, .bias = bias}), Error);
  EXPECT_THROW(
      linear_forward(device_, {.out = out, .x = x, .w = w, .bias = random({4}).target, .accumulate = true}),
      Error);
  EXPECT_THROW(linear_forward(device_, {.out = wrong, .x = x, .w = w}), Error);
  EXPECT_THROW(linear_forward(device_, {.out = {}, .x = x, .w = w}), Error);
  EXPECT_THROW(linear_backward_input(device_, {.dx = x, .dout = wrong, .w = w}), Error);
  EXPECT_THROW(linear_backward_input(device_, {.dx = x, .dout = out, .w = narrow}), Error);
  EXPECT_THROW(linear_backward_weight(device_, {.dw = narrow, .dout = out, .x = x}), Error);
  EXPECT_THROW(linear_backward_weight(device_, {.dw = dw, .dbias = bias, .dout = out, .x = x}), Error);
  if (any() == DType::bf16) {  // what an f32 weight gives is f32
    const Tensor exact = random_stat({4, 9}).target;
    EXPECT_THROW(linear_forward(device_, {.out = out, .x = x, .w = exact}), Error);
    EXPECT_THROW(linear_backward_input(device_, {.dx = x, .dout = out, .w = exact}), Error);
  }
  const Tensor half(x.data, DType::f16, {1, 2});
  EXPECT_THROW(linear_forward(device_, {.out = half, .x = half, .w = half.reshape({1, 2})}), Error);
}

}  // namespace
}  // namespace fathom::testing
