#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "io/checkpoint.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class To, class From>
To converted(From value) {
  To result;
  copy_tensor(Tensor(&value, dtype_of<From>, {1}), Tensor(&result, dtype_of<To>, {1}), "x");
  return result;
}

TEST(CopyTensor, RoundsToNearestEven) {
  // bf16 has 8 significant bits: around 1 its step is 2^-7.
  EXPECT_EQ(float(converted<bf16>(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_EQ(float(converted<bf16>(1.0f + 3 * 0x1p-8f)), 1.0f + 0x1p-6f);
  EXPECT_EQ(float(converted<bf16>(1.0f + 0x1.01p-8f)), 1.0f + 0x1p-7f);
  EXPECT_EQ(float(converted<f16>(1.0f + 0x1p-11f)), 1.0f);
  EXPECT_EQ(float(converted<f16>(1.0f + 3 * 0x1p-11f)), 1.0f + 0x1p-9f);
  EXPECT_EQ(converted<float>(1.0 + 0x1p-24), 1.0f);
  EXPECT_EQ(converted<float>(1e300), std::numeric_limits<float>::infinity());
}

TEST(CopyTensor, DoubleIsRoundedOnlyOnce) {
  // Just above a tie of the 16-bit type, by less than a float can see: two roundings would fall back to the
  // tie.
  EXPECT_EQ(float(converted<bf16>(1.0 + 0x1p-8 + 0x1p-40)), 1.0f + 0x1p-7f);
  EXPECT_EQ(float(converted<bf16>(-1.0 - 0x1p-8 - 0x1p-40)), -1.0f - 0x1p-7f);
  EXPECT_EQ(float(converted<bf16>(1.0 + 3 * 0x1p-8 - 0x1p-40)), 1.0f + 0x1p-7f);
  EXPECT_EQ(float(converted<f16>(1.0 + 0x1p-11 + 0x1p-40)), 1.0f + 0x1p-10f);
  EXPECT_EQ(float(converted<f16>(1.0 + 0x1p-11)), 1.0f);
}

TEST(CopyTensor, KeepsSpecialValues) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {infinity, -infinity, 0.0, 1.0, -2.5}) {
    EXPECT_EQ(float(converted<bf16>(value)), float(value));
    EXPECT_EQ(float(converted<f16>(value)), float(value));
    EXPECT_EQ(converted<double>(converted<f16>(value)), value);
    EXPECT_EQ(converted<double>(converted<float>(value)), value);
  }
  EXPECT_EQ(float(converted<bf16>(1e308)), infinity);
  EXPECT_EQ(float(converted<bf16>(1e-308)), 0.0f);
  EXPECT_TRUE(std::signbit(float(converted<bf16>(-1e-308))));
  EXPECT_TRUE(std::isnan(float(converted<bf16>(std::nan("")))));
  EXPECT_TRUE(std::isnan(float(converted<f16>(std::nan("")))));
  EXPECT_TRUE(std::isnan(converted<float>(converted<bf16>(std::nanf("")))));
}

TEST(CopyTensor, LargeTensorsOfEveryPair) {
  // Larger than one piece, with an uneven rest; strided on one side, then on the other.
  constexpr int64_t rows = 3, cols = 70'001, stride = cols + 5;
  Rng rng(1);
  std::vector<float> values(rows * stride);
  for (float& v : values) v = float(bf16(float(rng.below(256))));  // exact in every type
  const Tensor strided = Tensor(values.data(), DType::f32, {rows, stride}).columns(2, cols);
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    std::vector<std::byte> memory(rows * cols * size_of(dtype));
    const Tensor packed(memory.data(), dtype, {rows, cols});
    copy_tensor(strided, packed, "x");
    std::vector<float> back(rows * stride, -1.0f);
    copy_tensor(packed, Tensor(back.data(), DType::f32, {rows, stride}).columns(2, cols), "x");
    int64_t wrong = 0;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < stride; ++c)
        wrong += back[r * stride + c] != (c >= 2 && c < 2 + cols ? values[r * stride + c] : -1.0f);
    EXPECT_EQ(wrong, 0) << name_of(dtype);
    std::vector<float> whole(rows * cols);
    const Tensor contiguous(whole.data(), DType::f32, {rows, cols});
    copy_tensor(packed, contiguous, "x");
    for (int64_t r = 0; r < rows; ++r)
      wrong += !std::equal(contiguous.row<float>(r), contiguous.row<float>(r) + cols, strided.row<float>(r));
    EXPECT_EQ(wrong, 0) << name_of(dtype);
  }
}

TEST(CopyTensor, Integers) {
  int32_t from[2] = {-7, 1 << 30}, to[2] = {};
  copy_tensor(Tensor(from, DType::i32, {2}), Tensor(to, DType::i32, {2}), "ids");
  EXPECT_THAT(to, ElementsAre(-7, 1 << 30));
}

TEST(CopyTensor, RefusesWhatDoesNotFit) {
  float a[6] = {}, b[6] = {};
  int32_t i[6] = {};
  const Tensor two_by_three(a, DType::f32, {2, 3});
  EXPECT_EQ(error_of([&] {
              copy_tensor(two_by_three, Tensor(b, DType::bf16, {3, 2}), "w");
            }),
            "tensor 'w': shape [2, 3] f32 where [3, 2] bf16 is expected");
  EXPECT_THAT(error_of([&] { copy_tensor(two_by_three, Tensor(b, DType::f32, {6}), "w"); }),
              HasSubstr("'w'"));
  EXPECT_EQ(error_of([&] {
              copy_tensor(two_by_three, Tensor(i, DType::i32, {2, 3}), "w");
            }),
            "tensor 'w': cannot convert f32 to i32");
  EXPECT_THAT(error_of([&] { copy_tensor({}, two_by_three, "w"); }), HasSubstr("nothing to copy"));
  copy_tensor(Tensor(a, DType::f32, {0, 3}), Tensor(b, DType::f64, {0, 3}), "none");
}

}  // namespace
}  // namespace fathom
