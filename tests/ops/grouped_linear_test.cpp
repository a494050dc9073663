#include "ops/grouped_linear.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class GroupedLinearTest : public OpTest {
 protected:
  // All ops for experts with these numbers of rows and `spare` rows after the last.
  void check_all(const std::vector<int32_t>& rows, int64_t spare, int64_t O, int64_t I) {
    std::vector<int32_t> bounds = {0};
    for (int32_t r : rows) bounds.push_back(bounds.back() + r);
    const int64_t E = static_cast<int64_t>(rows.size()), M = bounds.back() + spare;
    const Pair offsets = integers({E + 1}, bounds);
    const Pair x = random({M, I}), w = random({E, O, I}), dout = random({M, O});
    for (const Pair& input : {x, dout}) poison(input, bounds.back());
    check_all(x, w, dout, random({M, O}), random({M, I}), offsets);
  }
  void check_all(const Pair& x, const Pair& w, const Pair& dout, const Pair& out, const Pair& dx,
                 const Pair& offsets) {
    const int64_t E = w.ref.shape[0], O = w.ref.shape[1], I = w.ref.shape[2];
    for (const bool accumulate : {false, true}) {
      SCOPED_TRACE(accumulate ? "added" : "written");
      run(grouped_linear_forward, [&](auto pick) {
        return GroupedLinearForward{
            .out = pick(out), .x = pick(x), .w = pick(w), .offsets = pick(offsets), .accumulate = accumulate};
      });
      expect_close("out, spare rows unchanged", out);
      run(grouped_linear_backward_input, [&](auto pick) {
        return GroupedLinearBackwardInput{.dx = pick(dx),
                                          .dout = pick(dout),
                                          .w = pick(w),
                                          .offsets = pick(offsets),
                                          .accumulate = accumulate};
      });
      expect_close("dx, spare rows unchanged", dx);
    }
    for (bool accumulate : {true, false}) {
      const Pair dw = accumulate ? random_stat({E, O, I}) : output_stat({E, O, I});
      run(grouped_linear_backward_weight, [&](auto pick) {
        return GroupedLinearBackwardWeight{.dw = pick(dw),
                                           .dout = pick(dout),
                                           .x = pick(x),
                                           .offsets = pick(offsets),
                                           .accumulate = accumulate};
      });
      expect_close(accumulate ? "dw, added" : "dw, written", dw);
    }
  }
};
FATHOM_OP_TEST(GroupedLinearTest);

TEST_P(GroupedLinearTest, UnevenExperts) {
  check_all({5, 0, 1, 37, 0, 12, 3}, 0, 19, 23);
  check_all({0, 0, 61, 9}, 4, 48, 33);
  check_all({1}, 0, 1, 1);
  check_all({150, 2, 0, 81}, 3, 70, 64);
  check_all({300, 129, 0, 128, 1}, 5, 264, 200);  // more rows than a block takes, in whole vectors
  check_all({40, 0, 33, 30}, 2, 24, 520);
  check_all({200, 0, 0, 0, 0, 3, 9, 0}, 2, 200, 72);
  check_all({0, 37, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}, 1, 40, 200);  // few, but many of one expert
}

// Of a part of what stands side by side, as low-rank products read and write it; odd and aligned.
TEST_P(GroupedLinearTest, ColumnSlices) {
  for (const int64_t unit : {1, 8})
    for (const int64_t rank : {1, 2, 8}) {
      const Pair offsets = integers({5}, {0, 70, 70, 73, 110});
      const int64_t M = 112, O = 5 * unit, I = rank * unit;
      const Pair x = random({M, 3 * I}), dout = random({M, 2 * O}), out = random({M, 2 * O}),
                 dx = random({M, 3 * I});
      check_all(columns(x, I, I), random({4, O, I}), columns(dout, O, O), columns(out, O, O),
                columns(dx, 2 * I, I), offsets);
      expect_close("out, the other columns unchanged", out);
      expect_close("dx, the other columns unchanged", dx);
    }
}

TEST_P(GroupedLinearTest, NoRows) {
  check_all({0, 0, 0}, 0, 5, 7);
  check_all({0, 0}, 6, 5, 7);
}

TEST_P(GroupedLinearTest, MoreExpertsThanOneRoundHolds) {
  std::vector<int32_t> rows(300);
  for (size_t e = 0; e < rows.size(); ++e) rows[e] = static_cast<int32_t>(e * 7 % 13);
  check_all(rows, 1, 9, 17);
  for (int32_t& r : rows) r += 33;
  check_all(rows, 1, 64, 72);  // more tiles than a GPU holds at once
}

TEST_P(GroupedLinearTest, GradientsMatchDifferences) {
  const Pair offsets = integers({4}, {0, 2, 2, 5});
  const Pair x = random({5, 4}), w = random({3, 6, 4}), dout = random({5, 6}), out = output({5, 6});
  const Pair dx = output({5, 4}), dw = filled({3, 6, 4}, stat(), [](int64_t) { return 0; });
  auto forward = [&](Device& d) {
    grouped_linear_forward(d, {.out = out.ref, .x = x.ref, .w = w.ref, .offsets = offsets.ref});
  };
  Device reference = Device::reference();
  grouped_linear_backward_input(reference,
                                {.dx = dx.ref, .dout = dout.ref, .w = w.ref, .offsets = offsets.ref});
  grouped_linear_backward_weight(reference,
                                 {.dw = dw.ref, .dout = dout.ref, .x = x.ref, .offsets = offsets.ref});
  expect_gradient("dx", x.ref, dx.ref, out.ref, dout.ref, forward);
  expect_gradient("dw", w.ref, dw.ref, out.ref, dout.ref, forward);
}

TEST_P(GroupedLinearTest, NamesTheFieldThatIsWrong) {
  const Tensor x = random({5, 4}).target, w = random({3, 6, 4}).target, out = output({5, 6}).target;
  const Tensor dw = random_stat({3, 6, 4}).target;
  auto bounds = [&](const std::vector<int32_t>& values) {
    return integers({static_cast<int64_t>(values.size())}, values).target;
  };
  auto forward = [&](const Tensor& offsets) {
    grouped_linear_forward(device_, {.out = out, .x = x, .w = w, .offsets = offsets});
  };
  EXPECT_NO_THROW(forward(bounds({0, 2, 2, 5})));
  EXPECT_THROW(forward(bounds({0, 2, 5})), Error);
  EXPECT_THROW(forward(x), Error);
  for (const auto& wrong : {bounds({1, 2, 2, 5}), bounds({0, 3, 2, 5}), bounds({0, 2, 2, 6})})
    if (device_.on_host()) {  // on a GPU they are trusted
      EXPECT_THROW(forward(wrong), Error);
    }
  const Tensor good = bounds({0, 2, 2, 5});
  EXPECT_THROW(grouped_linear_backward_input(device_, {.dx = out, .dout = out, .w = w, .offsets = good}),
               Error);
  EXPECT_THROW(grouped_linear_backward_weight(device_, {.dw = dw, .dout = x, .x = x, .offsets = good}),
               Error);
}

}  // namespace
}  // namespace fathom::testing
