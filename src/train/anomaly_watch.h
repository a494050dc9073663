// Steps that are not like those before: a loss or a gradient norm that is not finite, or far above what it
// was. All ranks give it the same totals of a step, and so come to the same answer.
#pragma once
#include <cstdint>
#include <deque>
#include <string>

namespace fathom {

enum class Anomaly { none, loss_not_finite, norm_not_finite, loss_spike, norm_spike };
// "the loss is far above what it was" and so on; empty for none.
std::string text_of(Anomaly anomaly);

// The finite values of the last steps, the newest last, and what was done: a part of the run's state.
struct AnomalyHistory {
  std::deque<double> losses = {}, norms = {};
  int64_t skipped = 0, in_a_row = 0;  // steps: in all, and the last ones
  std::deque<int64_t> flagged = {};   // of the last steps, those that were not like the ones before
};

class AnomalyWatch {
 public:
  // A spike is more than `deviations` above the median of the last `window` steps. A deviation is the median
  // distance from the median, scaled to that of a normal distribution, of the loss and of the norm's
  // logarithm, but at least 1% of the loss and 5% of the norm, so that a quiet run has none by chance. Until
  // half a window is there, nothing is a spike.
  AnomalyWatch(int64_t window, double deviations) : window_(window), deviations_(deviations) {}

  // Of the next step. Spikes join the history too: where a run has changed for good, they end.
  Anomaly judge(double loss, double norm);

  AnomalyHistory history;

 private:
  bool is_spike(const std::deque<double>& before, double value, double least_deviation) const;
  void remember(std::deque<double>& values, double value) const;

  int64_t window_;
  double deviations_;
};

}  // namespace fathom
