// The experts of a batch in decoding and in short prompts, at the shapes of DeepSeek-V2-Lite and DeepSeek-V2:
// what counts is how fast the touched experts' weights are read.
#include <algorithm>

#include "bench/ops/rows.h"
#include "ops/combine.h"
#include "ops/expert_sort.h"
#include "ops/grouped_linear.h"
#include "ops/grouped_swiglu.h"

namespace fathom::bench {
namespace {

struct Shape {
  const char* model;
  int64_t C, E, K, F;
};
constexpr Shape lite = {"V2-Lite", 2048, 64, 6, 1408}, full = {"V2", 5120, 160, 6, 1536};

// Every token chooses K different experts, evenly at random.
std::vector<int32_t> choose(const Shape& s, int64_t N) {
  Rng rng(7);
  std::vector<int32_t> ids;
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < s.K;) {
      const auto e = static_cast<int32_t>(rng.next_u64() % static_cast<uint64_t>(s.E));
      if (std::find(ids.begin() + n * s.K, ids.end(), e) != ids.end()) continue;
      ids.push_back(e), ++k;
    }
  return ids;
}

void expert_shape(Bench& b, const Shape& s, const Tensor& gate_up_proj, const Tensor& down_proj, int64_t N) {
  const DType t = gate_up_proj.dtype;
  const int64_t C = s.C, E = s.E, K = s.K, F = s.F, M = N * K;
  const std::vector<int32_t> chosen = choose(s, N);
  std::vector<int32_t> touched = chosen;
  std::sort(touched.begin(), touched.end());
  const auto experts = static_cast<double>(std::unique(touched.begin(), touched.end()) - touched.begin()) /
                       static_cast<double>(E);

  const Tensor ids = b.integers({N, K}, [&](int64_t i) { return chosen[static_cast<size_t>(i)]; });
  const Tensor offsets = b.zeros(DType::i32, {E + 1}), row_of = b.zeros(DType::i32, {N, K}),
               token_of = b.zeros(DType::i32, {M});
  const Tensor x = b.random(t, {N, C}), rows = b.zeros(t, {M, C}), gate_up = b.zeros(t, {M, 2 * F}),
               act = b.random(t, {M, F}), out = b.zeros(t, {N, C}), weights = b.random(DType::f32, {N, K});
  expert_sort(b.device(), {.offsets = offsets, .row_of = row_of, .token_of = token_of, .ids = ids});

  const auto first = [&] {
    grouped_swiglu(b.device(), {.out = act,
                                .x = x,
                                .w = gate_up_proj,
                                .token_of = token_of,
                                .offsets = offsets,
                                .rows = rows,
                                .gate_up = gate_up});
  };
  const auto second = [&] {
    grouped_linear_forward(b.device(), {.out = rows, .x = act, .w = down_proj, .offsets = offsets});
  };
  const std::string shape = fmt::format(" {} {} tokens {}", s.model, N, name_of(t));
  const double read = experts * static_cast<double>(gate_up_proj.bytes()),
               products = 4.0 * static_cast<double>(M) * static_cast<double>(C) * static_cast<double>(F);
  b.row("grouped_swiglu" + shape, read, products, first);
  b.row("grouped_linear_forward" + shape, read / 2, products / 2, second);
  b.row("experts" + shape, read * 1.5, products * 1.5, [&] {
    expert_sort(b.device(), {.offsets = offsets, .row_of = row_of, .token_of = token_of, .ids = ids});
    first();
    second();
    combine(b.device(), {.out = out, .rows = rows, .weights = weights, .row_of = row_of});
  });
}

void expert_shapes(Bench& b, const Shape& s, std::initializer_list<int64_t> tokens) {
  const auto wants = [&](const char* op) { return b.wants(fmt::format("{} {} ", op, s.model)); };
  if (!wants("grouped_swiglu") && !wants("grouped_linear_forward") && !wants("experts")) return;
  const Tensor gate_up_proj = b.random(DType::bf16, {s.E, 2 * s.F, s.C}, 0.02),
               down_proj = b.random(DType::bf16, {s.E, s.C, s.F}, 0.02);
  for (int64_t N : tokens) expert_shape(b, s, gate_up_proj, down_proj, N);
  b.clear();
}

}  // namespace

void experts_rows(Bench& b) {
  if (b.device().on_host()) return expert_shapes(b, lite, {1, 64});
  for (const Shape& s : {lite, full}) expert_shapes(b, s, {1, 8, 64, 256, 1024});
}

}  // namespace fathom::bench
