// The balance loss is cheap compared to the layers around it: plain loops, sums in f64, sequences over
// threads.
#include "ops/balance.h"

#include <algorithm>

namespace fathom::cpu {
namespace {

// sum_i f_i (sum of the scores of expert i) over sequence b; stores its f. `sums` has room for E values.
double sequence_loss(const BalanceLoss& a, int64_t b, double* sums) {
  const int64_t E = a.scores.cols(), K = a.ids.cols();
  const int32_t *starts = a.sequence_starts.as<int32_t>(), begin = starts[b], end = starts[b + 1];
  float* load = a.load.row<float>(b);
  std::fill_n(load, E, 0.0f);
  if (begin == end) return 0;
  std::fill_n(sums, E, 0.0);
  for (int64_t n = begin; n < end; ++n) {
    const int32_t* ids = a.ids.row<int32_t>(n);
    const float* scores = a.scores.row<float>(n);
    if (!a.counts)
      for (int64_t k = 0; k < K; ++k) load[ids[k]] += 1;  // exact up to 2^24 tokens
    for (int64_t e = 0; e < E; ++e) sums[e] += scores[e];
  }
  const double tokens = a.counts ? a.tokens : end - begin,
               factor = static_cast<double>(E) / (static_cast<double>(K) * tokens);
  double loss = 0;
  for (int64_t e = 0; e < E; ++e) {
    const double count = a.counts ? static_cast<double>(a.counts.as<int32_t>()[e]) : load[e];
    const double f = factor * count;
    loss += f * sums[e];
    load[e] = static_cast<float>(f);
  }
  return loss;
}

}  // namespace

void balance_loss(Device& device, const BalanceLoss& a) {
  with_dtype<float>("balance_loss", a.scores.dtype, [&](float) {
    const int64_t E = a.scores.cols(), B = a.load.rows();
    double* losses = static_cast<double*>(device.shared_scratch(B * sizeof(double)));
    parallel_tasks(device.threads(), B, [&](int thread, int64_t b) {
      losses[b] = sequence_loss(a, b, static_cast<double*>(device.scratch(thread, E * sizeof(double))));
    });
    double sum = 0;
    for (int64_t b = 0; b < B; ++b) sum += losses[b];
    if (B > 0) a.loss.as<float>()[0] += static_cast<float>(a.alpha / a.tokens * sum);
  });
}

void balance_loss_backward(Device& device, const BalanceLossBackward& a) {
  with_dtype<float>("balance_loss_backward", a.dscores.dtype, [&](float) {
    const int64_t E = a.dscores.cols(), B = a.load.rows();
    const int32_t* starts = a.sequence_starts.as<int32_t>();
    const float factor = static_cast<float>(a.alpha / a.tokens);
    parallel_tasks(device.threads(), B, [&](int, int64_t b) {
      const float* load = a.load.row<float>(b);
      for (int64_t n = starts[b]; n < starts[b + 1]; ++n)
        for (int64_t e = 0; e < E; ++e) a.dscores.row<float>(n)[e] = factor * load[e];
    });
  });
}

}  // namespace fathom::cpu
