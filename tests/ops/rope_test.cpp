#include "ops/rope.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class RopeTest : public OpTest {
 protected:
  Pair frequencies(int64_t half) {
    const Pair p = filled({half}, DType::f64, [&](int64_t k) { return std::pow(100.0, -k / (half + 0.0)); });
    return {p.ref, p.ref};
  }
};
FATHOM_OP_TEST(RopeTest);

TEST_P(RopeTest, TableAndTurn) {
  for (int64_t half : {1, 3, 4, 8, 32})
    for (int64_t H : {1, 3}) {
      const Pair positions = integers({4}, {0, 1, 7, 100000}), inv_freq = frequencies(half);
      const Pair cos_sin = output_stat({4, 2 * half}), x = random({4, H, 2 * half});
      run(rope_table, [&](auto pick) {
        return RopeTable{.cos_sin = pick(cos_sin),
                         .positions = pick(positions),
                         .inv_freq = pick(inv_freq),
                         .factor = 1.25};
      });
      expect_close("cos_sin", cos_sin);
      for (const RopePairs pairs : {RopePairs::neighbours, RopePairs::halves})
        for (bool inverse : {false, true}) {
          run(rope, [&](auto pick) {
            return Rope{.x = pick(x), .cos_sin = pick(cos_sin), .inverse = inverse, .pairs = pairs};
          });
          expect_close("x", x);
        }
    }
}

TEST_P(RopeTest, TurnsOnlyItsColumns) {
  const Pair positions = integers({3}, {5, 6, 7}), inv_freq = frequencies(10);
  const Pair cos_sin = output_stat({3, 20}), wide = random({3, 2, 27}), x = columns(wide, 7, 20);
  run(rope_table, [&](auto pick) {
    return RopeTable{.cos_sin = pick(cos_sin), .positions = pick(positions), .inv_freq = pick(inv_freq)};
  });
  const double untouched = element(wide.target, 1, 6);
  run(rope, [&](auto pick) { return Rope{.x = pick(x), .cos_sin = pick(cos_sin)}; });
  expect_close("whole row", wide);
  EXPECT_EQ(element(wide.target, 1, 6), untouched);
}

// The neighbours 2k and 2k+1 form the pair: a quarter turn carries (1, 0) to (0, 1).
TEST_P(RopeTest, PairsAreInterleaved) {
  const Pair x = filled({1, 1, 4}, any(), [](int64_t i) { return i == 2; });
  const Pair quarter = filled({1, 4}, stat(), [](int64_t i) { return i % 2; });
  run(rope, [&](auto pick) { return Rope{.x = pick(x), .cos_sin = pick(quarter)}; });
  for (int64_t c = 0; c < 4; ++c) EXPECT_EQ(element(x.target, 0, c), c == 3);
}

// Or 2k and 2k+1's places are k and k + Dr/2.
TEST_P(RopeTest, PairsOfHalves) {
  const Pair x = filled({1, 1, 4}, any(), [](int64_t i) { return i == 1; });
  const Pair quarter = filled({1, 4}, stat(), [](int64_t i) { return i % 2; });
  run(rope,
      [&](auto pick) { return Rope{.x = pick(x), .cos_sin = pick(quarter), .pairs = RopePairs::halves}; });
  for (int64_t c = 0; c < 4; ++c) EXPECT_EQ(element(x.target, 0, c), c == 3);
}

TEST_P(RopeTest, InverseIsTheGradient) {
  const Pair positions = integers({2}, {3, 9}), inv_freq = frequencies(3), cos_sin = output_stat({2, 6});
  const Pair x = random({2, 2, 6}), out = output({2, 2, 6}), dx = random({2, 2, 6}), dout = output({2, 2, 6});
  Device reference = Device::reference();
  rope_table(reference,
             {.cos_sin = cos_sin.ref, .positions = positions.ref, .inv_freq = inv_freq.ref, .factor = 1.5});
  std::copy_n(dx.ref.as<double>(), dx.ref.count(), dout.ref.as<double>());
  rope(reference, {.x = dx.ref, .cos_sin = cos_sin.ref, .inverse = true});
  expect_gradient("dx", x.ref, dx.ref, out.ref, dout.ref, [&](Device& d) {
    std::copy_n(x.ref.as<double>(), x.ref.count(), out.ref.as<double>());
    rope(d, {.x = out.ref, .cos_sin = cos_sin.ref});
  });
}

TEST_P(RopeTest, NamesTheFieldThatIsWrong) {
  const Pair x = random({2, 1, 6}), odd = random({2, 1, 5}), table = random_stat({2, 6}),
             narrow = random_stat({2, 5}), positions = integers({2}, {0, 1});
  EXPECT_THROW(rope(device_, {.x = x.target, .cos_sin = narrow.target}), Error);
  EXPECT_THROW(rope(device_, {.x = odd.target, .cos_sin = narrow.target}), Error);
  EXPECT_THROW(
      rope_table(device_,
                 {.cos_sin = table.target, .positions = positions.target, .inv_freq = frequencies(4).target}),
      Error);
}

}  // namespace
}  // namespace fathom::testing
