#include "eval/position_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

class PositionLosses : public ::testing::Test {
 protected:
  PositionLosses() {
    Rng rng(3);
    for (int i = 0; i < 61; ++i) text_.push_back(static_cast<int32_t>(rng.below(60)));
  }
  std::vector<PositionLoss> losses(const Model& model, std::span<const int32_t> beginning, int64_t length,
                                   int64_t ranges) {
    return position_losses(device_, model, beginning, text_, length, ranges);
  }

  Device device_ = Device::cpu(1);
  std::vector<int32_t> text_;
  const Model model_ = random_model(v2_like(), DType::f32);
};

// What stands before a token decides its loss: a window's own passes, shorter and shorter, give the same.
TEST_F(PositionLosses, AreThoseOfShorterWindows) {
  const std::vector<int32_t> bos = {60};
  const std::vector<PositionLoss> all = losses(model_, bos, 31, 31);  // two windows of 30 tokens of text
  ASSERT_EQ(all.size(), 31u);
  for (const int64_t length : {1, 2, 17, 30}) {
    double sum = 0;
    for (int64_t w = 0; w < 2; ++w) {
      const std::span<const int32_t> part =
          std::span(text_).subspan(static_cast<size_t>(w * 30), static_cast<size_t>(length) + 1);
      sum += position_losses(device_, model_, bos, part, length + 1, length + 1).back().loss;
    }
    EXPECT_NEAR(all[static_cast<size_t>(length)].loss, sum / 2, 1e-5) << length;
    EXPECT_EQ(all[static_cast<size_t>(length)].tokens, 2);
  }
}

TEST_F(PositionLosses, OfRangesAreTheMeans) {
  const std::vector<PositionLoss> each = losses(model_, {}, 20, 20), ranges = losses(model_, {}, 20, 3);
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].first, 0);
  EXPECT_EQ(ranges[2].end, 20);
  for (const PositionLoss& range : ranges) {
    double sum = 0;
    for (int64_t i = range.first; i < range.end; ++i) sum += each[static_cast<size_t>(i)].loss;
    EXPECT_NEAR(range.loss, sum / static_cast<double>(range.end - range.first), 1e-6);
    EXPECT_EQ(range.tokens, 3 * (range.end - range.first));
  }
  EXPECT_EQ(position_json(ranges)[2]["end"], 20);
  EXPECT_THAT(position_table(ranges), HasSubstr("13..19"));
}

// A uniform model's loss is ln V everywhere.
TEST_F(PositionLosses, OfAModelThatKnowsNothing) {
  const Model uniform = random_model(v2_like(), DType::f32);
  const Tensor& head = uniform.weights.head.data;
  std::fill_n(head.as<float>(), head.count(), 0.0F);
  for (const PositionLoss& p : losses(uniform, {}, 10, 5)) EXPECT_NEAR(p.loss, std::log(61), 1e-5);
}

TEST_F(PositionLosses, SayWhatCannotBe) {
  EXPECT_THAT(error_of([&] { losses(model_, {}, 61, 1); }), HasSubstr("61 tokens, too few"));
  EXPECT_THAT(error_of([&] { losses(model_, {}, 5000, 1); }), HasSubstr("5000 tokens is longer"));
  EXPECT_THAT(error_of([&] { losses(model_, {}, 10, 11); }), HasSubstr("11 ranges"));
  EXPECT_THAT(error_of([&] { losses(model_, std::vector<int32_t>{60}, 1, 1); }), HasSubstr("of 1 tokens"));
}

}  // namespace
}  // namespace fathom::testing
