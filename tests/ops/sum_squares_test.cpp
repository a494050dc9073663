#include "ops/sum_squares.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class SumSquaresTest : public OpTest {};
FATHOM_OP_TEST(SumSquaresTest);

TEST_P(SumSquaresTest, AddsUpInDoublePrecision) {
  for (int64_t n : {1, 15, 1000, 200003}) {
    const Pair x = random_stat({n});
    const auto start = [&] { return filled({1}, DType::f64, [](int64_t) { return 0.25; }); };
    const Pair squares = start();
    std::vector<Tensor> all;
    run(sum_squares, [&](auto pick) {
      all = {pick(x)};
      return SumSquares{.sum = pick(squares), .all = all};
    });
    expect_close("sum of squares", squares);
    if (GetParam().backend != Backend::cpu) continue;
    Device single = Device::cpu(1);
    const Pair alone = start();
    sum_squares(single, {.sum = alone.target, .all = all});
    EXPECT_EQ(alone.target.as<double>()[0], squares.target.as<double>()[0]) << "depends on the threads";
  }
}

TEST_P(SumSquaresTest, ManyTensors) {
  std::vector<Pair> pairs;
  for (int64_t i = 0; i < 400; ++i) pairs.push_back(random_stat({i % 97}));
  pairs.push_back(random_stat({3, 70000}));
  const Pair total = filled({1}, DType::f64, [](int64_t) { return 0; });
  std::vector<Tensor> all;
  run(sum_squares, [&](auto pick) {
    all.clear();
    for (const Pair& p : pairs) all.push_back(pick(p));
    return SumSquares{.sum = pick(total), .all = all};
  });
  expect_close("sum", total);
}

TEST_P(SumSquaresTest, NamesTheFieldThatIsWrong) {
  const Pair x = random_stat({3, 7}), part = columns(x, 0, 5);
  const Tensor total = filled({1}, DType::f64, [](int64_t) { return 0; }).target;
  const auto squares = [&](const Tensor& to, const Tensor& of) {
    const Tensor all[] = {x.target, of};
    sum_squares(device_, {.sum = to, .all = all});
  };
  EXPECT_NO_THROW(squares(total, x.target));
  EXPECT_THROW(squares(total, part.target), Error);
  EXPECT_THROW(squares({}, x.target), Error);
  EXPECT_THROW(squares(total, {}), Error);
}

}  // namespace
}  // namespace fathom::testing
