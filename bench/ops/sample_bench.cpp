// Picking tokens from logits of DeepSeek-V2's vocabulary.
#include "bench/ops/rows.h"
#include "ops/sample.h"
#include "tensor/memory.h"

namespace fathom::bench {
namespace {

struct Settings {
  const char* name;
  double temperature, top_p;
  int32_t top_k;
  bool log_probs = false;
};

void sample_shape(Bench& b, int64_t n, const Settings& s) {
  constexpr int64_t V = 102400;
  const Tensor logits = b.random(DType::f32, {n, V}, 3), ids = b.zeros(DType::i32, {n}),
               settings = b.zeros(DType::f64, {n, sample_setting::columns}),
               top_k = b.integers({n}, [&](int64_t) { return s.top_k; }),
               log_probs = s.log_probs ? b.zeros(DType::f32, {n}) : Tensor();
  Staging(b.device()).write(settings, [&](const Tensor& host) {
    for (int64_t i = 0; i < n; ++i) {
      double* row = host.row<double>(i);
      row[sample_setting::temperature] = s.temperature, row[sample_setting::top_p] = s.top_p;
      row[sample_setting::min_p] = 0, row[sample_setting::draw] = 0.3;
    }
  });
  b.row(fmt::format("sample {}x{} {}", n, V, s.name), static_cast<double>(logits.bytes()), 0, [&] {
    sample(b.device(),
           {.ids = ids, .logits = logits, .settings = settings, .top_k = top_k, .log_probs = log_probs});
  });
  b.clear();
}

}  // namespace

void sample_rows(Bench& b) {
  for (int64_t n : {1, 16})
    for (const Settings& s : {Settings{"greedy", 0, 1, 0}, Settings{"top-k 50, top-p 0.9", 0.8, 0.9, 50},
                              Settings{"top-p 0.9", 0.8, 0.9, 0}, Settings{"temperature 1", 1, 1, 0},
                              Settings{"temperature 1, log-probabilities", 1, 1, 0, true}})
      sample_shape(b, n, s);
}

}  // namespace fathom::bench
