#include "train/anomaly_watch.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace fathom {
namespace {

constexpr double normal_deviation = 1.4826;  // over the median distance from the median
constexpr double least_norm = 1e-30;         // whose logarithm is taken

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::string text_of(Anomaly anomaly) {
  switch (anomaly) {
    case Anomaly::none:
      return {};
    case Anomaly::loss_not_finite:
      return "the loss is not finite";
    case Anomaly::norm_not_finite:
      return "the gradient norm is not finite";
    case Anomaly::loss_spike:
      return "the loss is far above those before";
    case Anomaly::norm_spike:
      return "the gradient norm is far above those before";
  }
  return {};
}

Anomaly AnomalyWatch::judge(double loss, double norm) {
  if (!std::isfinite(loss)) return Anomaly::loss_not_finite;
  if (!std::isfinite(norm)) return Anomaly::norm_not_finite;
  const double log_norm = std::log(std::max(norm, least_norm));
  const bool loss_spike = is_spike(history.losses, loss, 0.01 * std::abs(loss));
  const bool norm_spike = is_spike(history.norms, log_norm, 0.05);
  remember(history.losses, loss), remember(history.norms, log_norm);
  return loss_spike ? Anomaly::loss_spike : norm_spike ? Anomaly::norm_spike : Anomaly::none;
}

bool AnomalyWatch::is_spike(const std::deque<double>& before, double value, double least_deviation) const {
  if (static_cast<int64_t>(before.size()) < (window_ + 1) / 2) return false;
  std::vector<double> values(before.begin(), before.end());
  const double middle = median(values);
  for (double& v : values) v = std::abs(v - middle);
  const double deviation = std::max(normal_deviation * median(values), least_deviation);
  return value - middle > deviations_ * deviation;
}

void AnomalyWatch::remember(std::deque<double>& values, double value) const {
  values.push_back(value);
  while (static_cast<int64_t>(values.size()) > window_) values.pop_front();
}

}  // namespace fathom
