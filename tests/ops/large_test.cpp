// Tensors of more than 2^31 elements on the CPU: the result equals that of the same rows alone, bit for bit.
// Memory is mapped and touched only where it is used, so these tests need little of it. large_cuda_test.cpp
// has all ops on a GPU.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/fill_normal.h"
#include "ops/grouped_linear.h"
#include "ops/latent_attention.h"
#include "ops/latent_cache.h"

namespace fathom::testing {
namespace {

// A tensor of zeros whose pages exist only where they are written.
class Sparse {
 public:
  Sparse(DType dtype, std::initializer_list<int64_t> shape) : tensor(nullptr, dtype, shape) {
    void* p =
        mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return;
    madvise(p, bytes(), MADV_NOHUGEPAGE);
    tensor.data = p;
  }
  ~Sparse() {
    if (tensor) munmap(tensor.data, bytes());
  }
  Sparse(const Sparse&) = delete;
  Sparse& operator=(const Sparse&) = delete;

  Tensor tensor;  // absent where the system does not give so much address space

 private:
  size_t bytes() const { return static_cast<size_t>(tensor.bytes()); }
};

#define NEEDS(sparse)                                                                              \
  if (!(sparse).tensor)                                                                            \
  GTEST_SKIP() << "the system does not give " << #sparse << " of " << (sparse).tensor.shape_text() \
               << " address space: ctest --preset cpu -R ops runs it where it does"

class LargeTest : public ::testing::Test {
 protected:
  void random(const Tensor& t) {
    fill_normal(device_, {.out = t, .std = 0.5, .seed = 1, .stream = ++streams_});
  }
  static Tensor integers(std::vector<int32_t>& values) {
    return Tensor(values.data(), DType::i32, {static_cast<int64_t>(values.size())});
  }
  static void expect_same(const char* what, const Tensor& a, const Tensor& b) {
    ASSERT_EQ(a.count(), b.count());
    for (int64_t r = 0; r < a.rows(); ++r)
      ASSERT_EQ(0, std::memcmp(static_cast<char*>(a.data) + r * a.row_stride * size_of(a.dtype),
                               static_cast<char*>(b.data) + r * b.row_stride * size_of(b.dtype),
                               static_cast<size_t>(a.cols() * size_of(a.dtype))))
          << what << ", row " << r;
  }

  Device device_ = Device::cpu(2);

 private:
  uint64_t streams_ = 0;
};

// 300,000 x 8,192: 2.46e9 elements; the ids lie on both sides of 2^31.
TEST_F(LargeTest, Embedding) {
  const int64_t V = 300000, C = 8192, first = 262142;
  const Sparse table(DType::bf16, {V, C}), dtable(DType::f32, {V, C});
  NEEDS(table);
  NEEDS(dtable);
  std::vector<int32_t> ids = {0, 262143, 262144, 299999, 262144}, alone_ids = {1, 2, 2};
  const auto N = static_cast<int64_t>(ids.size());
  const Sparse out(DType::bf16, {N, C}), dout(DType::bf16, {N, C}), alone(DType::f32, {3, C}),
      some(DType::bf16, {3, C});
  for (int32_t id : ids) random(table.tensor.slice(id, 1));
  random(dout.tensor);
  embedding_forward(device_, {.out = out.tensor, .ids = integers(ids), .table = table.tensor});
  for (int64_t n = 0; n < N; ++n) expect_same("out", out.tensor.slice(n, 1), table.tensor.slice(ids[n], 1));
  embedding_backward(device_, {.dtable = dtable.tensor, .ids = integers(ids), .dout = dout.tensor});
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t from[] = {1, 2, 4};
    std::memcpy(some.tensor.row<bf16>(i), dout.tensor.row<bf16>(from[i]), C * sizeof(bf16));
  }
  embedding_backward(device_, {.dtable = alone.tensor, .ids = integers(alone_ids), .dout = some.tensor});
  expect_same("dtable", dtable.tensor.slice(first, 3), alone.tensor);
}

// 24,576 x 102,400: 2.5e9 elements. Rows with ignored targets are not read.
TEST_F(LargeTest, CrossEntropy) {
  const int64_t N = 24576, V = 102400, boundary = (int64_t{1} << 31) / V;
  const Sparse logits(DType::f32, {N, V});
  NEEDS(logits);
  std::vector<int32_t> targets(N, CrossEntropy::ignore);
  const Sparse losses(DType::f32, {N}), alone(DType::f32, {1});
  const std::vector<int64_t> rows = {0, boundary, boundary + 1, N - 1};
  for (int64_t n : rows) {
    random(logits.tensor.slice(n, 1));
    targets[n] = static_cast<int32_t>(V - 1 - n);
  }
  cross_entropy(device_, {.losses = losses.tensor, .logits = logits.tensor, .targets = integers(targets)});
  for (int64_t n : rows) {
    cross_entropy(device_, {.losses = alone.tensor,
                            .logits = logits.tensor.slice(n, 1),
                            .targets = integers(targets).slice(n, 1)});
    expect_same("loss", losses.tensor.slice(n, 1), alone.tensor);
    EXPECT_GT(alone.tensor.as<float>()[0], 5);
  }
}

// A cache of 65,536 pages x 64 x 576: 2.4e9 elements.
TEST_F(LargeTest, LatentCache) {
  const int64_t pages = 65536, page = 64, R = 512, Dr = 64, H = 4, N = 150;
  for (DType t : {DType::bf16, DType::f32}) {
    const Sparse cache(t, {pages, page, R + Dr}), small(t, {3, page, R + Dr});
    NEEDS(cache);
    const Sparse latent(t, {N, R + Dr}), q(t, {1, H, R}), q_rope(t, {1, H, Dr}), out(t, {1, H, R}),
        alone(t, {1, H, R}), read(t, {N, R + Dr});
    for (const Sparse* s : {&latent, &q, &q_rope}) random(s->tensor);
    std::vector<int32_t> table = {65535, 3, 58255}, small_table = {0, 1, 2}, sequence(N, 0), positions,
                         starts = {0, 150};
    for (int32_t i = 0; i < N; ++i) positions.push_back(i);
    const auto run = [&](const Tensor& cache, std::vector<int32_t>& table, const Tensor& out) {
      const Tensor blocks = integers(table).reshape({1, 3});
      latent_cache_write(device_, {.pages = cache,
                                   .latent = latent.tensor,
                                   .block_table = blocks,
                                   .sequence = integers(sequence),
                                   .positions = integers(positions)});
      latent_cache_read(
          device_,
          {.out = read.tensor, .pages = cache, .block_table = blocks, .kv_starts = integers(starts)});
      expect_same("read", read.tensor, latent.tensor);
      latent_attention(device_, {.out = out,
                                 .q_latent = q.tensor,
                                 .q_rope = q_rope.tensor,
                                 .pages = cache,
                                 .block_table = blocks,
                                 .sequence = integers(sequence).slice(0, 1),
                                 .positions = integers(positions).slice(N - 1, 1),
                                 .scale = 0.07});
    };
    run(cache.tensor, table, out.tensor);
    run(small.tensor, small_table, alone.tensor);
    expect_same("out", out.tensor, alone.tensor);
  }
}

// 2,100 experts of 1,024 x 1,024: 2.2e9 weights.
TEST_F(LargeTest, GroupedLinear) {
  const int64_t E = 2100, side = 1024, M = 12;
  const Sparse w(DType::bf16, {E, side, side}), dw(DType::f32, {E, side, side});
  NEEDS(w);
  NEEDS(dw);
  const Sparse x(DType::bf16, {M, side}), out(DType::bf16, {M, side}), dx(DType::bf16, {M, side}),
      alone(DType::bf16, {M, side}), alone_dw(DType::f32, {1, side, side});
  random(x.tensor), random(w.tensor[E - 1]);
  std::vector<int32_t> offsets(E + 1, 0), alone_offsets = {0, static_cast<int32_t>(M)};
  offsets[E] = static_cast<int32_t>(M);
  const auto both = [&](const auto& run) {
    run(w.tensor, dw.tensor, out.tensor, dx.tensor, integers(offsets));
    run(w.tensor.slice(E - 1, 1), alone_dw.tensor, alone.tensor, alone.tensor, integers(alone_offsets));
  };
  both([&](const Tensor& w, const Tensor&, const Tensor& out, const Tensor&, const Tensor& offsets) {
    grouped_linear_forward(device_, {.out = out, .x = x.tensor, .w = w, .offsets = offsets});
  });
  expect_same("out", out.tensor, alone.tensor);
  both([&](const Tensor& w, const Tensor&, const Tensor&, const Tensor& dx, const Tensor& offsets) {
    grouped_linear_backward_input(device_, {.dx = dx, .dout = x.tensor, .w = w, .offsets = offsets});
  });
  expect_same("dx", dx.tensor, alone.tensor);
  both([&](const Tensor&, const Tensor& dw, const Tensor&, const Tensor&, const Tensor& offsets) {
    grouped_linear_backward_weight(device_, {.dw = dw, .dout = x.tensor, .x = x.tensor, .offsets = offsets});
  });
  expect_same("dw", dw.tensor.slice(E - 1, 1), alone_dw.tensor);
}

}  // namespace
}  // namespace fathom::testing
