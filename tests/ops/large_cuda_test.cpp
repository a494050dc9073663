// Tensors of more than 2^31 elements on a GPU: the result equals that of the same rows alone. Needs 48 GiB
// of GPU memory.
#include <gtest/gtest.h>
#include <cmath>

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "ops/adamw.h"
#include "ops/attention.h"
#include "ops/combine.h"
#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/fill_normal.h"
#include "ops/grouped_linear.h"
#include "ops/latent_attention.h"
#include "ops/latent_cache.h"
#include "ops/linear.h"
#include "ops/permute.h"
#include "ops/residual_add.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/scale.h"
#include "ops/sum.h"
#include "ops/sum_squares.h"
#include "ops/swiglu.h"
#include "support/compare.h"
#include "support/needs_gpu.h"
#include "tensor/arena.h"
#include "tensor/memory.h"
#if FATHOM_WITH_CUDA
#include <cuda_runtime_api.h>
#endif

namespace fathom::testing {
namespace {

constexpr int64_t GiB = int64_t{1} << 30;
constexpr int64_t boundary = int64_t{1} << 31;  // elements

int64_t free_gpu_memory() {
  size_t free = 0;
  [[maybe_unused]] size_t total = 0;
#if FATHOM_WITH_CUDA
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return 0;
#endif
  return static_cast<int64_t>(free);
}

class LargeCudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FATHOM_NEEDS_GPU();
    device_ = std::make_unique<Device>(Device::cuda());
    const int64_t bytes = 48 * GiB;
    if (free_gpu_memory() < bytes)
      GTEST_SKIP() << "needs 48 GiB of free GPU memory: tools/gpu_check.sh runs it on such a GPU";
    memory_ = Arena("large tensors", 42 * GiB, *device_);
  }
  Device& device() { return *device_; }

  Tensor zeros(DType t, std::initializer_list<int64_t> shape) {
    const Tensor x = memory_.allocate(t, shape);
    clear(device(), x);
    return x;
  }
  Tensor random(DType t, std::initializer_list<int64_t> shape, double std = 0.5) {
    const Tensor x = memory_.allocate(t, shape);
    fill_normal(device(), {.out = x, .std = std, .seed = 1, .stream = ++streams_});
    return x;
  }
  Tensor integers(std::initializer_list<int64_t> shape, const std::function<int64_t(int64_t)>& value) {
    const Tensor x = memory_.allocate(DType::i32, shape);
    Staging(device()).write(x, [&](const Tensor& host) {
      for (int64_t i = 0; i < host.count(); ++i) host.as<int32_t>()[i] = static_cast<int32_t>(value(i));
    });
    return x;
  }
  std::vector<std::byte> bytes_of(const Tensor& x) {
    std::vector<std::byte> bytes(static_cast<size_t>(x.bytes()));
    Tensor host = x;
    host.data = bytes.data(), host.row_stride = x.cols();
    download(device(), host, x);
    return bytes;
  }
  void expect_same(const char* what, const Tensor& a, const Tensor& b) {
    EXPECT_EQ(bytes_of(a), bytes_of(b)) << what;
  }
  // Where the number of rows chooses another kernel: equal up to rounding. A test that passes a factor for
  // the tolerance says why.
  void expect_close(const char* what, const Tensor& a, const Tensor& b, double factor = 1) {
    const std::vector<std::byte> x = bytes_of(a), y = bytes_of(b);
    Tensor ha = a, hb = b;
    ha.data = const_cast<std::byte*>(x.data()), ha.row_stride = a.cols();
    hb.data = const_cast<std::byte*>(y.data()), hb.row_stride = b.cols();
    EXPECT_LE(relative_error(ha, hb), factor * tolerance(a.dtype)) << what;
  }

  // run(first row, rows, outputs...) writes these rows; the rows around element 2^31 and the last ones must
  // be the same when they are computed alone.
  template <class Run>
  void expect_rows_alone(const char* what, const Tensor& out, const Run& run) {
    run(int64_t{0}, out.shape[0], out);
    const int64_t some = 4, width = out.count() / out.shape[0], middle = boundary / width - 1;
    ASSERT_GT(out.count(), boundary);
    for (int64_t first : {int64_t{0}, middle, out.shape[0] - some}) {
      const int64_t used = memory_.used();
      Tensor alone = out.slice(0, some);
      alone.data = memory_.allocate(out.dtype, {alone.count()}).data;
      clear(device(), alone.reshape({alone.count()}));
      run(first, some, alone);
      expect_same(what, out.slice(first, some), alone);
      memory_.rewind(used);
    }
  }

  std::unique_ptr<Device> device_;
  Arena memory_;

 private:
  uint64_t streams_ = 0;
};

TEST_F(LargeCudaTest, CrossEntropy) {
  const int64_t N = 24576, V = 102400;
  const Tensor logits = random(DType::f32, {N, V}), dlogits = zeros(DType::bf16, {N, V});
  const Tensor losses = zeros(DType::f32, {N}), targets = integers({N}, [&](int64_t i) { return V - 1 - i; });
  expect_rows_alone("dlogits", dlogits, [&](int64_t first, int64_t rows, const Tensor& dlogits) {
    cross_entropy(device(), {.losses = losses.slice(first, rows),
                             .dlogits = dlogits,
                             .logits = logits.slice(first, rows),
                             .targets = targets.slice(first, rows)});
  });
}

TEST_F(LargeCudaTest, Embedding) {
  const int64_t V = 300000, C = 8192;
  const Tensor table = random(DType::bf16, {V, C});
  const Tensor ids = integers({V}, [&](int64_t i) { return V - 1 - i; });
  expect_rows_alone("out", zeros(DType::bf16, {V, C}), [&](int64_t first, int64_t rows, const Tensor& out) {
    embedding_forward(device(), {.out = out, .ids = ids.slice(first, rows), .table = table});
  });
  memory_.rewind(0);
  const int64_t N = 1000;
  const Tensor dtable = zeros(DType::f32, {V, C}), dout = random(DType::bf16, {N, C}),
               alone = zeros(DType::f32, {500, C});
  const Tensor twice = integers({N}, [&](int64_t i) { return V - 500 + i % 500; });
  const Tensor shifted = integers({N}, [&](int64_t i) { return i % 500; });
  embedding_backward(device(), {.dtable = dtable, .ids = twice, .dout = dout});
  embedding_backward(device(), {.dtable = alone, .ids = shifted, .dout = dout});
  expect_same("dtable", dtable.slice(V - 500, 500), alone);
}

TEST_F(LargeCudaTest, LatentCache) {
  const int64_t pages = 65536, page = 64, R = 512, Dr = 64, H = 16, N = 1000, used_pages = 16;
  for (DType t : {DType::bf16, DType::f32}) {
    memory_.rewind(0);
    const Tensor cache = zeros(t, {pages, page, R + Dr}), small = zeros(t, {used_pages, page, R + Dr});
    const Tensor latent = random(t, {N, R + Dr}), q = random(t, {2, H, R}), q_rope = random(t, {2, H, Dr});
    const Tensor table = integers({1, used_pages}, [&](int64_t i) { return i % 2 ? pages - i : 58254 + i; });
    const Tensor small_table = integers({1, used_pages}, [](int64_t i) { return i; });
    const Tensor sequence = integers({N}, [](int64_t) { return 0; }),
                 positions = integers({N}, [](int64_t i) { return i; });
    const Tensor starts = integers({2}, [&](int64_t i) { return i * N; });
    const auto run = [&](const Tensor& pages, const Tensor& table) {
      const Tensor out = zeros(t, {2, H, R}), read = zeros(t, {N, R + Dr});
      latent_cache_write(device(), {.pages = pages,
                                    .latent = latent,
                                    .block_table = table,
                                    .sequence = sequence,
                                    .positions = positions});
      latent_cache_read(device(), {.out = read, .pages = pages, .block_table = table, .kv_starts = starts});
      expect_same("read", read, latent);
      latent_attention(device(), {.out = out,
                                  .q_latent = q,
                                  .q_rope = q_rope,
                                  .pages = pages,
                                  .block_table = table,
                                  .sequence = sequence.slice(0, 2),
                                  .positions = positions.slice(N - 2, 2),
                                  .scale = 0.07});
      return out;
    };
    expect_same("out", run(cache, table), run(small, small_table));
  }
}

// Weights of 160 experts of DeepSeek-V2's size: 2.5e9; few rows, some, many, and rows that are not aligned.
TEST_F(LargeCudaTest, GroupedLinear) {
  const int64_t E = 160, O = 3072;
  struct Case {
    int64_t I, M;
  };
  for (const Case& c : {Case{5120, 8}, Case{5120, 900}, Case{5120, 6000}, Case{5119, 40}}) {
    const int64_t I = c.I, M = c.M;
    memory_.rewind(0);
    const Tensor w = random(DType::bf16, {E, O, I}, 0.02), x = random(DType::bf16, {M, I}),
                 dout = random(DType::bf16, {M, O});
    const Tensor out = zeros(DType::bf16, {M, O}), dx = zeros(DType::bf16, {M, I}),
                 dw = zeros(DType::f32, {E, O, I});
    const Tensor alone_out = zeros(DType::bf16, {M, O}), alone_dx = zeros(DType::bf16, {M, I}),
                 alone_dw = zeros(DType::f32, {2, O, I});
    const auto offset = [&](int64_t e) { return e <= 0 ? 0 : e == 1 ? M / 3 : M; };
    const Tensor all = integers({E + 1}, [&](int64_t e) { return offset(e - (E - 2)); }),
                 two = integers({3}, offset);
    const auto run = [&](const Tensor& out, const Tensor& dx, const Tensor& dw, const Tensor& w,
                         const Tensor& offsets) {
      grouped_linear_forward(device(), {.out = out, .x = x, .w = w, .offsets = offsets});
      grouped_linear_backward_input(device(), {.dx = dx, .dout = dout, .w = w, .offsets = offsets});
      grouped_linear_backward_weight(device(), {.dw = dw, .dout = dout, .x = x, .offsets = offsets});
    };
    run(out, dx, dw, w, all);
    run(alone_out, alone_dx, alone_dw, w.slice(E - 2, 2), two);
    expect_close("out", out, alone_out);
    expect_close("dx", dx, alone_dx);
    expect_close("dw", dw.slice(E - 2, 2), alone_dw);
  }
}

// One expert of 2.1e9 weights.
TEST_F(LargeCudaTest, OneExpert) {
  const int64_t O = 65600, I = 32768, some = 512;
  for (int64_t M : {4, 100}) {
    memory_.rewind(0);
    const Tensor w = random(DType::bf16, {1, O, I}, 0.01), x = random(DType::bf16, {M, I}),
                 dout = random(DType::bf16, {M, O});
    const Tensor out = zeros(DType::bf16, {M, O}), dw = zeros(DType::f32, {1, O, I});
    const Tensor alone = zeros(DType::bf16, {M, some}), alone_dw = zeros(DType::f32, {1, some, I});
    const Tensor offsets = integers({2}, [&](int64_t e) { return e * M; });
    const Tensor last = w[0].slice(O - some, some).reshape({1, some, I});
    grouped_linear_forward(device(), {.out = out, .x = x, .w = w, .offsets = offsets});
    grouped_linear_forward(device(), {.out = alone, .x = x, .w = last, .offsets = offsets});
    expect_close("out", out.columns(O - some, some), alone);
    grouped_linear_backward_weight(device(), {.dw = dw, .dout = dout, .x = x, .offsets = offsets});
    grouped_linear_backward_weight(
        device(), {.dw = alone_dw, .dout = dout.columns(O - some, some), .x = x, .offsets = offsets});
    expect_close("dw", dw[0].slice(O - some, some), alone_dw[0]);
  }
}

// More tiles of 16 rows than the second and third dimension of a grid have blocks.
TEST_F(LargeCudaTest, ManyUnalignedRowsOfExperts) {
  const int64_t M = 1200000, E = 3, O = 5, I = 7, some = 1000;
  const Tensor w = random(DType::bf16, {E, O, I}), x = random(DType::bf16, {M, I}),
               dout = random(DType::bf16, {M, O});
  const Tensor out = zeros(DType::bf16, {M, O}), dx = zeros(DType::bf16, {M, I}),
               dw = zeros(DType::f32, {E, O, I});
  const Tensor offsets = integers({E + 1}, [&](int64_t e) { return e * M / E; }),
               one = integers({2}, [&](int64_t e) { return e * some; });
  grouped_linear_forward(device(), {.out = out, .x = x, .w = w, .offsets = offsets});
  grouped_linear_backward_input(device(), {.dx = dx, .dout = dout, .w = w, .offsets = offsets});
  grouped_linear_backward_weight(device(), {.dw = dw, .dout = dout, .x = x, .offsets = offsets});
  synchronize(device());
  const Tensor alone = zeros(DType::bf16, {some, O}), alone_dx = zeros(DType::bf16, {some, I});
  grouped_linear_forward(
      device(), {.out = alone, .x = x.slice(M - some, some), .w = w.slice(E - 1, 1), .offsets = one});
  grouped_linear_backward_input(
      device(), {.dx = alone_dx, .dout = dout.slice(M - some, some), .w = w.slice(E - 1, 1), .offsets = one});
  expect_same("out", out.slice(M - some, some), alone);
  expect_same("dx", dx.slice(M - some, some), alone_dx);
}

TEST_F(LargeCudaTest, Linear) {
  const int64_t N = 24576, V = 102400, C = 64, some = 256;
  const Tensor x = random(DType::bf16, {N, C}), w = random(DType::bf16, {V, C});
  const Tensor out = zeros(DType::f32, {N, V}), alone = zeros(DType::f32, {some, V});
  linear_forward(device(), {.out = out, .x = x, .w = w});
  linear_forward(device(), {.out = alone, .x = x.slice(N - some, some), .w = w});
  expect_close("out", out.slice(N - some, some), alone);
  const Tensor dx = zeros(DType::bf16, {N, C}), alone_dx = zeros(DType::bf16, {some, C});
  const Tensor dw = zeros(DType::f32, {V, C}), alone_dw = zeros(DType::f32, {some, C});
  const Tensor dout = random(DType::bf16, {N, V});
  linear_backward_input(device(), {.dx = dx, .dout = dout, .w = w});
  linear_backward_input(device(), {.dx = alone_dx, .dout = dout.slice(N - some, some), .w = w});
  expect_close("dx", dx.slice(N - some, some), alone_dx);
  linear_backward_weight(device(), {.dw = dw, .dout = dout, .x = x});
  linear_backward_weight(device(), {.dw = alone_dw, .dout = dout.columns(V - some, some), .x = x});
  // A sum of 24,576 products, which fewer columns add up in other pieces: rounding grows as the square root.
  expect_close("dw", dw.slice(V - some, some), alone_dw, std::sqrt(static_cast<double>(N)));
}

// Keys and values of 2.2e9 elements.
TEST_F(LargeCudaTest, Attention) {
  const int64_t B = 600, T = 128, N = B * T, H = 112, Dn = 128, Dr = 64, Dv = 128;
  const Tensor q = random(DType::bf16, {N, H, Dn + Dr}), kv = random(DType::bf16, {N, H, Dn + Dv}),
               k_rope = random(DType::bf16, {N, Dr}), dout = random(DType::bf16, {N, H, Dv});
  ASSERT_GT(kv.count(), boundary);
  const Tensor starts = integers({B + 1}, [&](int64_t b) { return b * T; }),
               one = integers({2}, [&](int64_t b) { return b * T; });
  const auto run = [&](int64_t first, int64_t rows, const Tensor& starts, const Tensor& out,
                       const Tensor& dkv) {
    const Tensor lse = zeros(DType::f32, {rows, H}), dq = memory_.allocate(DType::bf16, {rows, H, Dn + Dr}),
                 dk_rope = memory_.allocate(DType::bf16, {rows, Dr});
    attention_forward(device(), {.out = out,
                                 .lse = lse,
                                 .q = q.slice(first, rows),
                                 .kv = kv.slice(first, rows),
                                 .k_rope = k_rope.slice(first, rows),
                                 .q_starts = starts,
                                 .kv_starts = starts,
                                 .scale = 0.07});
    attention_backward(device(), {.dq = dq,
                                  .dkv = dkv,
                                  .dk_rope = dk_rope,
                                  .dout = dout.slice(first, rows),
                                  .out = out,
                                  .lse = lse,
                                  .q = q.slice(first, rows),
                                  .kv = kv.slice(first, rows),
                                  .k_rope = k_rope.slice(first, rows),
                                  .q_starts = starts,
                                  .kv_starts = starts,
                                  .scale = 0.07});
  };
  const Tensor out = zeros(DType::bf16, {N, H, Dv}), dkv = zeros(DType::bf16, {N, H, Dn + Dv});
  const Tensor alone = zeros(DType::bf16, {T, H, Dv}), alone_dkv = zeros(DType::bf16, {T, H, Dn + Dv});
  run(0, N, starts, out, dkv);
  run(N - T, T, one, alone, alone_dkv);
  expect_same("out", out.slice(N - T, T), alone);
  expect_same("dkv", dkv.slice(N - T, T), alone_dkv);
}

TEST_F(LargeCudaTest, RowsOfLayers) {
  const int64_t N = 300000, C = 8192;
  const Tensor x = random(DType::bf16, {N, C}), w = random(DType::bf16, {C}), y = zeros(DType::bf16, {N, C});
  const Tensor rstd = zeros(DType::f32, {N}), dw = zeros(DType::f32, {C});
  expect_rows_alone("rmsnorm", y, [&](int64_t first, int64_t rows, const Tensor& out) {
    rmsnorm_forward(device(),
                    {.out = out, .rstd = rstd.slice(first, rows), .x = x.slice(first, rows), .w = w});
  });
  expect_rows_alone("rmsnorm backward", y, [&](int64_t first, int64_t rows, const Tensor& dx) {
    rmsnorm_backward(device(), {.dx = dx,
                                .dw = dw,
                                .dout = x.slice(first, rows),
                                .x = x.slice(first, rows),
                                .w = w,
                                .rstd = rstd.slice(first, rows)});
  });
  clear(device(), y);
  expect_rows_alone("residual_add", y, [&](int64_t first, int64_t rows, const Tensor& stream) {
    residual_add(device(), {.stream = stream, .x = x.slice(first, rows)});
  });
  const Tensor half = zeros(DType::bf16, {N, C / 2});
  swiglu_forward(device(), {.out = half, .gate_up = x});
  const Tensor alone = zeros(DType::bf16, {4, C / 2});
  swiglu_forward(device(), {.out = alone, .gate_up = x.slice(N - 4, 4)});
  expect_same("swiglu", half.slice(N - 4, 4), alone);
  expect_rows_alone("swiglu backward", y, [&](int64_t first, int64_t rows, const Tensor& dgate_up) {
    swiglu_backward(device(),
                    {.dgate_up = dgate_up, .dout = half.slice(first, rows), .gate_up = x.slice(first, rows)});
  });
  const Tensor cos_sin = random(DType::f32, {N, C});
  expect_rows_alone("rope", y, [&](int64_t first, int64_t rows, const Tensor& out) {
    clear(device(), out.reshape({out.count()}));
    residual_add(device(), {.stream = out, .x = x.slice(first, rows)});
    rope(device(), {.x = out.reshape({rows, 1, C}), .cos_sin = cos_sin.slice(first, rows)});
  });
}

TEST_F(LargeCudaTest, RowsOfExperts) {
  const int64_t N = 75000, K = 4, M = N * K, C = 8192;
  const Tensor x = random(DType::bf16, {N, C}), rows_out = zeros(DType::bf16, {M, C});
  const Tensor token_of = integers({M}, [&](int64_t m) { return m % N; }),
               row_of = integers({N, K}, [&](int64_t i) { return i / K + i % K * N; });
  const Tensor weights = random(DType::f32, {N, K}), dweights = zeros(DType::f32, {N, K});
  expect_rows_alone("permute", rows_out, [&](int64_t first, int64_t rows, const Tensor& out) {
    permute(device(), {.out = out, .x = x, .token_of = token_of.slice(first, rows)});
  });
  // Token n's rows are copies of its row of x.
  const Tensor sum = zeros(DType::bf16, {N, C}), one = integers({1, K}, [](int64_t k) { return k; });
  const Tensor alone = zeros(DType::bf16, {1, C}), alone_rows = zeros(DType::bf16, {K, C});
  const Tensor four = integers({K}, [](int64_t) { return 0; });
  permute(device(), {.out = alone_rows, .x = x.slice(N - 1, 1), .token_of = four});
  permute_backward(device(), {.dx = sum, .dout = rows_out, .row_of = row_of});
  permute_backward(device(), {.dx = alone, .dout = alone_rows, .row_of = one});
  expect_same("permute_backward", sum.slice(N - 1, 1), alone);
  combine(device(), {.out = sum, .rows = rows_out, .weights = weights, .row_of = row_of});
  combine(device(), {.out = alone, .rows = alone_rows, .weights = weights.slice(N - 1, 1), .row_of = one});
  expect_same("combine", sum.slice(N - 1, 1), alone);
  combine_backward(device(), {.drows = rows_out,
                              .dweights = dweights,
                              .dout = x,
                              .rows = rows_out,
                              .weights = weights,
                              .row_of = row_of});
  const Tensor alone_dweights = zeros(DType::f32, {1, K});
  combine_backward(device(), {.drows = alone_rows,
                              .dweights = alone_dweights,
                              .dout = x.slice(N - 1, 1),
                              .rows = alone_rows,
                              .weights = weights.slice(N - 1, 1),
                              .row_of = one});
  expect_same("combine_backward", rows_out.slice(M - 1, 1), alone_rows.slice(K - 1, 1));
  expect_same("dweights", dweights.slice(N - 1, 1), alone_dweights);
}

TEST_F(LargeCudaTest, WholeTensors) {
  const int64_t count = boundary + (1 << 20), tail = 1 << 20;  // the last chunk lies past 2^31
  const Tensor x = zeros(DType::f32, {count}), total = zeros(DType::f64, {1});
  const Tensor last = x.slice(count - tail, tail);
  fill_normal(device(), {.out = last, .seed = 4});
  const auto value_of = [&](const auto& run) {
    clear(device(), total);
    run();
    double value = 0;
    const std::vector<std::byte> bytes = bytes_of(total);
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  };
  EXPECT_EQ(value_of([&] { sum(device(), {.sum = total, .x = x}); }),
            value_of([&] { sum(device(), {.sum = total, .x = last}); }));
  const Tensor all[] = {x}, part[] = {last};
  EXPECT_EQ(value_of([&] { sum_squares(device(), {.sum = total, .all = all}); }),
            value_of([&] { sum_squares(device(), {.sum = total, .all = part}); }));
  const Tensor copy = zeros(DType::f32, {tail});
  fill_normal(device(), {.out = copy, .seed = 4});
  scale(device(), {.x = x, .factor = 0.3});
  scale(device(), {.x = copy, .factor = 0.3});
  expect_same("scale", last, copy);

  const Tensor m = zeros(DType::f32, {count}), v = zeros(DType::f32, {count}),
               w = zeros(DType::bf16, {count}), alone = zeros(DType::f32, {tail}),
               alone_m = zeros(DType::f32, {tail}), alone_v = zeros(DType::f32, {tail}),
               alone_w = zeros(DType::bf16, {tail}), grad = random(DType::f32, {tail});
  const Tensor grads = zeros(DType::f32, {count});
  residual_add(device(),
               {.stream = grads.slice(count - tail, tail).reshape({1, tail}), .x = grad.reshape({1, tail})});
  residual_add(device(), {.stream = alone.reshape({1, tail}), .x = copy.reshape({1, tail})});
  const AdamWTensor big[] = {{.w = w, .master = x, .grad = grads, .m = m, .v = v}},
                    small[] = {{.w = alone_w, .master = alone, .grad = grad, .m = alone_m, .v = alone_v}};
  adamw(device(), {.tensors = big, .lr = 1e-3});
  adamw(device(), {.tensors = small, .lr = 1e-3});
  expect_same("adamw w", w.slice(count - tail, tail), alone_w);
  expect_same("adamw v", v.slice(count - tail, tail), alone_v);

  fill_normal(device(), {.out = w, .seed = 9, .stream = 1});
  Rng rng(9, 1);
  rng.seek(static_cast<uint64_t>(count - 1));
  const std::vector<std::byte> bytes = bytes_of(w.slice(count - 1, 1));
  bf16 got;
  std::memcpy(&got, bytes.data(), sizeof got);
  EXPECT_EQ(static_cast<float>(got), static_cast<float>(bf16(static_cast<float>(rng.normal()))));
}

}  // namespace
}  // namespace fathom::testing
