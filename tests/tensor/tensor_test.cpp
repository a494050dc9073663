#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "tensor/arena.h"
#include "tensor/device.h"
#include "tensor/dim.h"

namespace fathom {
namespace {

TEST(Tensor, SlicesWithoutCopies) {
  std::vector<float> memory(24);
  std::iota(memory.begin(), memory.end(), 0.0f);
  Tensor t(memory.data(), DType::f32, {4, 6});
  Tensor right = t.columns(4, 2);
  EXPECT_EQ(right.row<float>(2)[1], 17.0f);
  EXPECT_FALSE(right.contiguous());
  Tensor heads = t.reshape({4, 2, 3}).slice(1, 2);
  EXPECT_EQ(heads.row<float>(3)[0], 15.0f);
  EXPECT_EQ(t.reshape({2, 2, 6})[1].row<float>(1)[5], 23.0f);
  EXPECT_EQ(right.reshape({2, 2, 2}).row<float>(3)[0], 22.0f);
  EXPECT_THROW(right.reshape({8}), Error);
  EXPECT_THROW(t.reshape({5, 5}), Error);
}

TEST(Dim, BindsThenChecks) {
  float x[6];
  Dim N{"N"}, C{"C"};
  expect("x", Tensor(x, DType::f32, {2, 3}), {N, C});
  EXPECT_EQ(N.size(), 2);
  try {
    expect("w", Tensor(x, DType::f32, {2}), {C});
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "w has shape [2] f32, expected [C=3]");
  }
  EXPECT_THROW(expect("w", Tensor(), {C}), Error);
  EXPECT_THROW(expect("w", Tensor(x, DType::f32, {3}), {C}, DType::bf16), Error);
}

TEST(Arena, PlansThenAllocatesTheSame) {
  auto build = [](Arena& arena) {
    arena.allocate(DType::f32, {3, 5});
    return arena.allocate(DType::bf16, {7});
  };
  Arena plan;
  EXPECT_FALSE(static_cast<bool>(build(plan)));
  Arena arena("test", plan.used());
  Tensor t = build(arena);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data) % 64, 0u);
  EXPECT_EQ(arena.used(), plan.used());
  EXPECT_THROW(arena.allocate(DType::f32, {1}), Error);
  arena.rewind(0);
  build(arena);
}

TEST(Arena, SaysWhatWasAskedForWhenMemoryIsShort) {
  try {
    Arena arena("activations", int64_t{1} << 60);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "not enough memory for activations: asked for 1153 PB");
  }
}

TEST(Device, ScratchIsAlignedAndKept) {
  const Device device = Device::cpu(2);
  void* a = device.scratch(0, 100);
  void* b = device.scratch(1, 100);
  EXPECT_NE(a, b);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u);
  EXPECT_EQ(device.scratch(0, 50), a);
  std::memset(device.shared_scratch(1 << 20), 1, 1 << 20);
}

// As any other error: out of the parallel code of a kernel, and the device can be used afterwards.
TEST(Device, TooLittleMemoryForScratchIsAnErrorThatNamesTheSize) {
  const Device device = Device::cpu(2);
  const auto needs = [&](size_t bytes) {
    parallel_tasks(2, 8, [&](int thread, int64_t) { std::memset(device.scratch(thread, bytes), 1, 8); });
  };
  needs(100);
  try {
    needs(size_t{1} << 60);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "not enough memory for an op's temporaries: asked for 1153 PB");
  }
  needs(1000);
}

}  // namespace
}  // namespace fathom
