#include "ops/fill_normal.h"

#include <cmath>
#include <numbers>

#include "support/op_test.h"

namespace fathom::testing {
namespace {

// Same bits on every backend: no tolerance. Counts around the blocks of the kernels.
class FillNormalTest : public OpTest {};
FATHOM_OP_TEST(FillNormalTest);

TEST_P(FillNormalTest, SameBitsAsTheStream) {
  for (int64_t n : {1, 3, 255, 257, 20000}) {
    const Tensor out = filled({n}, any(), [](int64_t) { return NAN; }).target;
    fill_normal(device_, {.out = out, .std = 0.006, .seed = 77, .stream = uint64_t{1} << 63 | 5});
    Rng rng(77, uint64_t{1} << 63 | 5);
    for (int64_t i = 0; i < n; ++i) {
      float expected = static_cast<float>(rng.normal() * 0.006);
      if (any() == DType::bf16) expected = static_cast<float>(bf16(expected));
      ASSERT_EQ(element(out, 0, i), expected) << i;
    }
  }
}

TEST_P(FillNormalTest, DoesNotDependOnThreads) {
  const Tensor many = output({30001}).target, one = output({30001}).target;
  Device single = device_of(GetParam().backend, 1);
  fill_normal(device_, {.out = many, .seed = 3, .stream = 4});
  fill_normal(single, {.out = one, .seed = 3, .stream = 4});
  EXPECT_EQ(relative_error(many, one), 0);
}

TEST_P(FillNormalTest, IsStandardNormal) {
  const int64_t n = 200000;
  const Tensor x = output({n}).target;
  fill_normal(device_, {.out = x, .seed = 1});
  double mean = 0, square = 0, fourth = 0, tail = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double v = element(x, 0, i);
    mean += v, square += v * v, fourth += v * v * v * v, tail += std::abs(v) > 3;
  }
  EXPECT_NEAR(mean / n, 0, 0.012);  // five standard errors of 200,000 samples
  EXPECT_NEAR(square / n, 1, 0.017);
  EXPECT_NEAR(fourth / n, 3, 0.12);
  EXPECT_NEAR(tail / n, 0.0027, 0.0006);
}

TEST_P(FillNormalTest, NamesTheFieldThatIsWrong) {
  const Tensor x = random({3, 7}).target;
  EXPECT_THROW(fill_normal(device_, {.out = x.columns(0, 5)}), Error);
}

}  // namespace
}  // namespace fathom::testing
