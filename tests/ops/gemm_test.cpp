// The cpu backend's matrix products themselves: every mix of types and layouts, edges of every tile, and what
// the ops above do not reach (alpha, accumulation into bf16, serial use, batches of unlike products).
#include "ops/cpu/matmul/gemm.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

struct Form {
  DType a, b, c;
  bool a_transposed, b_transposed, accumulate;
  float alpha;
};

// A product and, in f64, what it must give.
struct Case {
  cpu::Gemm gemm;
  Pair c;
};

class GemmTest : public OpTest {
 protected:
  Pair normal(DType dtype, int64_t rows, int64_t cols, double scale = 1) {
    return filled({rows, cols}, dtype, [&](int64_t) { return rng_.normal() * scale; });
  }
  // Views into wider storage, so that every row stride differs from its row length.
  Pair operand(DType dtype, int64_t rows, int64_t cols, bool transposed) {
    if (transposed) std::swap(rows, cols);
    return columns(normal(dtype, rows, cols + 3), 1, cols);
  }
  static cpu::Matrix as_matrix(const Tensor& t, bool transposed) {
    return transposed ? cpu::transposed(t) : cpu::matrix(t);
  }
  static double at(const Tensor& t, bool transposed, int64_t i, int64_t j) {
    return transposed ? t.row<double>(j)[i] : t.row<double>(i)[j];
  }

  Case make(int64_t M, int64_t N, int64_t K, const Form& f) {
    const Pair a = operand(f.a, M, K, f.a_transposed), b = operand(f.b, K, N, f.b_transposed);
    const Pair c = columns(normal(f.c, M, N + 5), 2, N);
    for (int64_t m = 0; m < M; ++m) {
      double* want = c.ref.row<double>(m);
      for (int64_t n = 0; n < N; ++n) want[n] = f.accumulate ? want[n] : 0;
      for (int64_t k = 0; k < K; ++k) {
        const double x = f.alpha * at(a.ref, f.a_transposed, m, k);
        for (int64_t n = 0; n < N; ++n) want[n] += x * at(b.ref, f.b_transposed, k, n);
      }
    }
    return {.gemm = {.M = M,
                     .N = N,
                     .K = K,
                     .a = as_matrix(a.target, f.a_transposed),
                     .b = as_matrix(b.target, f.b_transposed),
                     .c = c.target.data,
                     .c_dtype = f.c,
                     .c_stride = c.target.row_stride,
                     .alpha = f.alpha,
                     .accumulate = f.accumulate},
            .c = c};
  }

  void check_both_ways(int64_t M, int64_t N, int64_t K, const Form& f) {
    SCOPED_TRACE(::testing::Message() << M << "x" << N << "x" << K << " a " << name_of(f.a) << f.a_transposed
                                      << " b " << name_of(f.b) << f.b_transposed << " c " << name_of(f.c)
                                      << " accumulate " << f.accumulate);
    const Case shared = make(M, N, K, f);
    cpu::gemm(device_, shared.gemm);
    expect_close("gemm", shared.c);
    const Case serial = make(M, N, K, f);
    std::vector<char> memory(cpu::gemm_scratch(serial.gemm) + 64, '\xff');  // NaN in every type
    const auto address = reinterpret_cast<uintptr_t>(memory.data());
    cpu::gemm_serial(serial.gemm, memory.data() + (64 - address % 64) % 64);
    expect_close("gemm_serial", serial.c);
  }

  // Every mix of types and layouts.
  template <class Body>
  void each_form(const Body& body) {
    int i = 0;
    for (DType a : {DType::f32, DType::bf16})
      for (DType b : {DType::f32, DType::bf16})
        for (DType c : {DType::f32, DType::bf16})
          for (bool a_transposed : {false, true})
            for (bool b_transposed : {false, true}) {
              const bool accumulate = i % 3 == 1;
              body(Form{a, b, c, a_transposed, b_transposed, accumulate, i % 2 ? 1.0f : -0.375f});
              ++i;
            }
  }
};

// Types vary inside the tests: one target per level.
std::vector<Target> every_level() {
  std::vector<Target> targets;
  for (cpu::Level level : cpu::supported_levels()) targets.push_back({Backend::cpu, DType::f32, level});
  return targets;
}
INSTANTIATE_TEST_SUITE_P(All, GemmTest, ::testing::ValuesIn(every_level()), target_name);

TEST_P(GemmTest, EdgesOfEveryTile) {
  each_form([&](const Form& f) {
    for (int64_t M : {1, 2, 7, 9, 14, 31, 33})
      for (int64_t N : {1, 15, 17, 32, 65}) check_both_ways(M, N, 1 + (M * 31 + N * 17) % 67, f);
  });
}

TEST_P(GemmTest, DepthOfOneAndOfSeveralBlocks) {
  each_form([&](const Form& f) {
    check_both_ways(13, 18, 1, f);
    check_both_ways(13, 18, 32, f);
    check_both_ways(10, 35, 1111, f);
    check_both_ways(3, 9, 1111, f);
  });
}

TEST_P(GemmTest, DepthOfSeveralStretches) {
  check_both_ways(40, 50, 4700, {DType::bf16, DType::bf16, DType::bf16, false, true, true, 1});
  check_both_ways(40, 50, 4700, {DType::f32, DType::bf16, DType::bf16, false, false, false, 2});
  check_both_ways(40, 50, 4700, {DType::f32, DType::f32, DType::f32, true, false, true, 1});
}

TEST_P(GemmTest, SeveralBlocks) {
  check_both_ways(700, 600, 310, {DType::f32, DType::f32, DType::f32, false, true, false, 1});
  check_both_ways(1100, 300, 129, {DType::bf16, DType::bf16, DType::bf16, false, false, false, 1});
  check_both_ways(300, 1300, 257, {DType::bf16, DType::f32, DType::f32, true, false, true, 1});
}

TEST_P(GemmTest, EmptySums) {  // K = 0: zeros, or C as it was
  for (int64_t M : {2, 20})
    for (bool accumulate : {false, true})
      for (DType c : {DType::f32, DType::bf16})
        check_both_ways(M, 21, 0, {DType::f32, DType::f32, c, false, true, accumulate, 1});
}

TEST_P(GemmTest, BatchOfUnlikeProducts) {
  std::vector<Case> cases;
  each_form([&](const Form& f) {
    const auto i = static_cast<int64_t>(cases.size());
    cases.push_back(make(i % 5 * i * 3, 1 + i * 7 % 90, i * 13 % 70, f));
    cases.push_back(make(1 + i % 8, 1 + i * 11 % 200, 1 + i * 29 % 300, f));
  });
  std::vector<cpu::Gemm> batch;
  for (const Case& c : cases) batch.push_back(c.gemm);
  cpu::gemm_batch(device_, batch);
  for (const Case& c : cases) expect_close("product of a batch", c.c);
}

TEST_P(GemmTest, SameBitsForEveryNumberOfThreads) {
  for (DType t : {DType::f32, DType::bf16})
    for (int64_t M : {5, 150}) {
      const Case one = make(M, 333, 700, {t, t, t, false, true, false, 1});
      const Pair more = normal(t, M, 333);
      cpu::Gemm again = one.gemm;
      again.c = more.target.data, again.c_stride = 333;
      Device single = Device::cpu(1), many = Device::cpu(4);
      cpu::gemm(single, one.gemm);
      cpu::gemm(many, again);
      for (int64_t r = 0; r < M; ++r)
        for (int64_t c = 0; c < 333; ++c)
          ASSERT_EQ(element(one.c.target, r, c), element(more.target, r, c)) << r << ", " << c;
    }
}

// A NaN or infinity reaches its own row of C and no other, also where the other factor is zero.
TEST_P(GemmTest, NaNAndInfinityPropagate) {
  for (DType t : {DType::f32, DType::bf16})
    for (int64_t M : {3, 20}) {
      const Pair a = filled({M, 37}, t, [](int64_t) { return 1; });
      const Pair b = filled({37, 18}, t, [](int64_t i) { return i % 18 == 4 ? 0 : 1; });
      const Pair c = normal(DType::f32, M, 18);
      if (t == DType::f32)
        a.target.row<float>(1)[5] = NAN, a.target.row<float>(2)[36] = INFINITY;
      else
        a.target.row<bf16>(1)[5] = bf16(NAN), a.target.row<bf16>(2)[36] = bf16(INFINITY);
      cpu::gemm(device_, {.M = M,
                          .N = 18,
                          .K = 37,
                          .a = cpu::matrix(a.target),
                          .b = cpu::matrix(b.target),
                          .c = c.target.data,
                          .c_stride = 18});
      for (int64_t m = 0; m < M; ++m)
        for (int64_t n = 0; n < 18; ++n) {
          const float value = c.target.row<float>(m)[n];
          if (m == 1 || (m == 2 && n == 4))
            EXPECT_TRUE(std::isnan(value)) << m << ", " << n;
          else if (m == 2)
            EXPECT_TRUE(std::isinf(value)) << m << ", " << n;
          else
            EXPECT_EQ(value, n == 4 ? 0 : 37) << m << ", " << n;
        }
    }
}

}  // namespace
}  // namespace fathom::testing
