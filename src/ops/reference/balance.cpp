#include "ops/balance.h"

#include <vector>

#include "ops/expert_counts.h"

namespace fathom::reference {
namespace {

// Adds the terms of sequence b, given what its tokens, or those of the whole step, chose.
template <class T>
void add_sequence(const BalanceLoss& a, int64_t b, const int32_t* counts, const int32_t* sent, T tokens) {
  const int64_t E = a.scores.cols(), K = a.ids.cols(), D = a.n_groups, size = E / D;
  const int32_t* starts = a.sequence_starts.as<int32_t>();
  const auto alpha = [](double level) { return static_cast<T>(level); };
  for (int64_t e = 0; e < E; ++e) {
    const int64_t d = e / size;
    T of_group = 0, score = 0;
    for (int64_t i = d * size; i < (d + 1) * size; ++i) of_group += static_cast<T>(counts[i]);
    for (int64_t n = starts[b]; n < starts[b + 1]; ++n) score += a.scores.row<T>(n)[e];
    const T share = static_cast<T>(E) / (static_cast<T>(K) * tokens), f = share * static_cast<T>(counts[e]),
            f_device = share * of_group / static_cast<T>(size),
            f_communication =
                static_cast<T>(D) / (static_cast<T>(a.topk_groups) * tokens) * static_cast<T>(sent[d]);
    const T prices[3] = {alpha(a.alpha.expert) * f, alpha(a.alpha.device) * f_device,
                         alpha(a.alpha.communication) * f_communication};
    a.prices.row<T>(b)[e] = prices[0] + prices[1] + prices[2];
    for (int level = 0; level < 3; ++level)
      a.losses.as<T>()[level] += prices[level] * score / static_cast<T>(a.tokens);
  }
}

}  // namespace

void balance_loss(Device& device, const BalanceLoss& a) {
  with_dtype<double, float>("balance_loss", a.scores.dtype, [&]<class T>(T) {
    const int64_t E = a.scores.cols(), B = a.prices.rows(), D = a.n_groups;
    const int32_t* starts = a.sequence_starts.as<int32_t>();
    for (int64_t b = 0; b < B; ++b) {
      const int64_t own = starts[b + 1] - starts[b];
      std::vector<int32_t> counts(E), sent(D);
      if (!a.counts)
        reference::expert_counts(device, {.counts = Tensor(counts.data(), DType::i32, {E}),
                                          .sent = Tensor(sent.data(), DType::i32, {D}),
                                          .ids = a.ids.slice(starts[b], own)});
      if (own == 0)
        for (int64_t e = 0; e < E; ++e) a.prices.row<T>(b)[e] = 0;
      else if (a.counts)
        add_sequence<T>(a, b, a.counts.as<int32_t>(), a.sent.as<int32_t>(), static_cast<T>(a.tokens));
      else
        add_sequence<T>(a, b, counts.data(), sent.data(), static_cast<T>(own));
    }
  });
}

void balance_loss_backward(Device&, const BalanceLossBackward& a) {
  with_dtype<double, float>("balance_loss_backward", a.dscores.dtype, [&]<class T>(T) {
    const int64_t E = a.dscores.cols(), B = a.prices.rows();
    const int32_t* starts = a.sequence_starts.as<int32_t>();
    for (int64_t b = 0; b < B; ++b)
      for (int64_t n = starts[b]; n < starts[b + 1]; ++n)
        for (int64_t e = 0; e < E; ++e)
          a.dscores.row<T>(n)[e] = static_cast<T>(a.weight / a.tokens) * a.prices.row<T>(b)[e];
  });
}

}  // namespace fathom::reference
