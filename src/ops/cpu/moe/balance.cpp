// The balance losses are cheap compared to the layers around them: plain loops, sums in f64, sequences over
// threads.
#include "ops/balance.h"

#include <algorithm>

#include "ops/expert_counts.h"
#include "ops/workspace_layout.h"

namespace fathom::cpu {
namespace {

// What a thread needs for a sequence.
struct Sums {
  Sums(WorkspaceLayout<64> layout, int64_t E, int64_t D)
      : scores(layout.take<double>(E)),
        group_scores(layout.take<double>(D)),
        counts(layout.take<int32_t>(E)),
        sent(layout.take<int32_t>(D)),
        bytes(layout.bytes()) {}

  double *scores, *group_scores;  // [E], [D]
  int32_t *counts, *sent;         // [E], [D]
  size_t bytes;
};

// The sums over sequence b, or the step's counts where they are given.
void sum_sequence(Device& device, const BalanceLoss& a, int64_t b, const Sums& sums) {
  const int64_t E = a.scores.cols(), D = a.n_groups;
  const int32_t *starts = a.sequence_starts.as<int32_t>(), begin = starts[b], end = starts[b + 1];
  std::fill_n(sums.scores, E, 0.0);
  for (int64_t n = begin; n < end; ++n)
    for (int64_t e = 0; e < E; ++e) sums.scores[e] += a.scores.row<float>(n)[e];
  for (int64_t d = 0; d < D; ++d) {
    sums.group_scores[d] = 0;
    for (int64_t e = d * E / D; e < (d + 1) * E / D; ++e) sums.group_scores[d] += sums.scores[e];
  }
  const ExpertCounts counts = {.counts = Tensor(sums.counts, DType::i32, {E}),
                               .sent = Tensor(sums.sent, DType::i32, {D}),
                               .ids = a.ids.slice(begin, end - begin)};
  if (a.counts) {
    std::copy_n(a.counts.as<int32_t>(), E, sums.counts);
    std::copy_n(a.sent.as<int32_t>(), D, sums.sent);
  } else {
    std::fill_n(sums.counts, E, 0);
    std::fill_n(sums.sent, D, 0);
    reference::expert_counts(device, counts);
  }
}

// T times what sequence b adds to the losses; writes its prices.
BalanceLevels sequence_losses(const BalanceLoss& a, int64_t b, const Sums& sums) {
  const int64_t E = a.scores.cols(), D = a.n_groups, size = E / D;
  const int32_t* starts = a.sequence_starts.as<int32_t>();
  float* prices = a.prices.row<float>(b);
  std::fill_n(prices, E, 0.0f);
  BalanceLevels losses;
  if (starts[b] == starts[b + 1]) return losses;
  const double tokens = a.counts ? a.tokens : starts[b + 1] - starts[b],
               choices = static_cast<double>(a.ids.cols()) * tokens;
  for (int64_t d = 0; d < D; ++d) {
    double of_group = 0;
    for (int64_t e = d * size; e < (d + 1) * size; ++e) of_group += sums.counts[e];
    const double device = a.alpha.device * static_cast<double>(D) / choices * of_group,
                 communication =
                     a.alpha.communication * static_cast<double>(D) / (a.topk_groups * tokens) * sums.sent[d];
    losses.device += device * sums.group_scores[d];
    losses.communication += communication * sums.group_scores[d];
    for (int64_t e = d * size; e < (d + 1) * size; ++e) {
      const double expert = a.alpha.expert * static_cast<double>(E) / choices * sums.counts[e];
      losses.expert += expert * sums.scores[e];
      prices[e] = static_cast<float>(expert + device + communication);
    }
  }
  return losses;
}

}  // namespace

void balance_loss(Device& device, const BalanceLoss& a) {
  with_dtype<float>("balance_loss", a.scores.dtype, [&](float) {
    const int64_t E = a.scores.cols(), B = a.prices.rows();
    if (B == 0) return;
    const size_t bytes = Sums(WorkspaceLayout<64>(), E, a.n_groups).bytes;
    auto* losses = static_cast<BalanceLevels*>(device.shared_scratch(B * sizeof(BalanceLevels)));
    parallel_tasks(device.threads(), B, [&](int thread, int64_t b) {
      const Sums sums(WorkspaceLayout<64>(device.scratch(thread, bytes)), E, a.n_groups);
      sum_sequence(device, a, b, sums);
      losses[b] = sequence_losses(a, b, sums);
    });
    BalanceLevels sum;
    for (int64_t b = 0; b < B; ++b) {
      sum.expert += losses[b].expert;
      sum.device += losses[b].device;
      sum.communication += losses[b].communication;
    }
    float* out = a.losses.as<float>();
    for (const double level : {sum.expert, sum.device, sum.communication})
      *out++ += static_cast<float>(level / a.tokens);
  });
}

void balance_loss_backward(Device& device, const BalanceLossBackward& a) {
  with_dtype<float>("balance_loss_backward", a.dscores.dtype, [&](float) {
    const int64_t E = a.dscores.cols(), B = a.prices.rows();
    const int32_t* starts = a.sequence_starts.as<int32_t>();
    const float factor = static_cast<float>(a.weight / a.tokens);
    parallel_tasks(device.threads(), B, [&](int, int64_t b) {
      const float* prices = a.prices.row<float>(b);
      for (int64_t n = starts[b]; n < starts[b + 1]; ++n)
        for (int64_t e = 0; e < E; ++e) a.dscores.row<float>(n)[e] = factor * prices[e];
    });
  });
}

}  // namespace fathom::cpu
