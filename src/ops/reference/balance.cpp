#include "ops/balance.h"

namespace fathom::reference {

void balance_loss(Device&, const BalanceLoss& a) {
  with_dtype<double, float>("balance_loss", a.scores.dtype, [&]<class T>(T) {
    const int64_t E = a.scores.cols(), K = a.ids.cols(), B = a.load.rows();
    const int32_t* starts = a.sequence_starts.as<int32_t>();
    for (int64_t b = 0; b < B; ++b) {
      T* load = a.load.row<T>(b);
      for (int64_t e = 0; e < E; ++e) load[e] = 0;
      const T tokens = static_cast<T>(a.counts ? a.tokens : starts[b + 1] - starts[b]);
      if (tokens == 0) continue;
      const T share = static_cast<T>(E) / (static_cast<T>(K) * tokens);
      if (a.counts)
        for (int64_t e = 0; e < E; ++e) load[e] = share * static_cast<T>(a.counts.as<int32_t>()[e]);
      else
        for (int64_t n = starts[b]; n < starts[b + 1]; ++n)
          for (int64_t k = 0; k < K; ++k) load[a.ids.row<int32_t>(n)[k]] += share;
      T sum = 0;
      for (int64_t n = starts[b]; n < starts[b + 1]; ++n)
        for (int64_t e = 0; e < E; ++e) sum += load[e] * a.scores.row<T>(n)[e];
      a.loss.as<T>()[0] += static_cast<T>(a.alpha / a.tokens) * sum;
    }
  });
}

void balance_loss_backward(Device&, const BalanceLossBackward& a) {
  with_dtype<double, float>("balance_loss_backward", a.dscores.dtype, [&]<class T>(T) {
    const int64_t E = a.dscores.cols(), B = a.load.rows();
    const int32_t* starts = a.sequence_starts.as<int32_t>();
    for (int64_t b = 0; b < B; ++b)
      for (int64_t n = starts[b]; n < starts[b + 1]; ++n)
        for (int64_t e = 0; e < E; ++e)
          a.dscores.row<T>(n)[e] = static_cast<T>(a.alpha / a.tokens) * a.load.row<T>(b)[e];
  });
}

}  // namespace fathom::reference
