#include "tensor/growing_arena.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

struct Held {
  Tensor tensor;
  int64_t before;  // the stack's top
  int32_t value;
};

// Tensors on a random stack keep what is written to them.
TEST(GrowingArena, TensorsOfAStackDoNotOverlap) {
  const Device device = Device::cpu(1);
  GrowingArena arena("test", device);
  Rng rng(1);
  std::vector<Held> stack;
  for (int step = 0; step < 2000; ++step) {
    if (stack.empty() || rng.below(100) < 55) {
      const auto n = static_cast<int64_t>(rng.below(10) == 0 ? rng.below(1 << 20) : rng.below(5000));
      const int64_t before = arena.used();
      const Tensor t = arena.allocate(DType::i32, {n});
      ASSERT_TRUE(t);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(t.data) % 64, 0u);
      std::fill_n(t.as<int32_t>(), n, step);
      stack.push_back({t, before, step});
    } else {
      const size_t kept = rng.below(10) == 0 ? 0 : rng.below(stack.size());
      const int64_t top = stack[kept].before;
      for (const Held& h : stack)
        ASSERT_EQ(std::count(h.tensor.as<int32_t>(), h.tensor.as<int32_t>() + h.tensor.count(), h.value),
                  h.tensor.count());
      stack.resize(kept);
      arena.rewind(top);
      ASSERT_EQ(arena.used(), top);
    }
  }
}

TEST(GrowingArena, TheSameAgainTakesNoMore) {
  const Device device = Device::cpu(1);
  GrowingArena arena("test", device);
  EXPECT_EQ(arena.size(), 0);
  EXPECT_EQ(arena.used(), 0);
  arena.rewind(0);
  const auto round = [&] {
    const void* first = nullptr;
    for (int i = 0; i < 40; ++i) {
      const Tensor t = arena.allocate(DType::f32, {100'000 + i});
      if (i == 0) first = t.data;
    }
    arena.rewind(0);
    return first;
  };
  round();
  const int64_t size = arena.size();
  const void* first = round();
  EXPECT_EQ(round(), first);
  EXPECT_EQ(arena.size(), size);
  EXPECT_EQ(size, arena.peak());
  EXPECT_GE(size, 40 * 100'000 * 4);
  EXPECT_LE(size, 40 * (100'040 * 4 + 64));
}

TEST(GrowingArena, SaysWhatDoesNotFit) {
  const Device device = Device::cpu(1);
  GrowingArena arena("the tokens", device, "send fewer");
  arena.allocate(DType::f32, {1 << 20});
  const std::string error = error_of([&] { arena.allocate(DType::f32, {int64_t{1} << 60}); });
  EXPECT_NE(error.find("not enough memory for the tokens, which have 4.19 MB"), std::string::npos) << error;
  EXPECT_NE(error.find("; send fewer"), std::string::npos) << error;
}

}  // namespace
}  // namespace fathom
