#include "align/preference_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <cmath>

#include "align/objectives/logistic.h"

namespace fathom {
namespace {

constexpr int bins = 5;

// Wilson's interval of a share of n, at 95%.
std::pair<double, double> interval(double share, double n) {
  constexpr double z = 1.959964;
  const double centre = (share + z * z / (2 * n)) / (1 + z * z / n),
               half = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n);
  return {centre - half, centre + half};
}

double correct(double difference) {
  return difference > 0 ? 1 : difference == 0 ? 0.5 : 0;
}

}  // namespace

PreferenceReport preference_report(std::span<const ScoredPreference> scored) {
  PreferenceReport report;
  for (int i = 0; i < bins; ++i) report.bins.push_back({0.5 + 0.1 * i, 0.6 + 0.1 * i});
  for (const ScoredPreference& s : scored) {
    ++report.preferences, report.ties += s.tie;
    if (s.tie) continue;
    const double difference = s.chosen - s.rejected, confidence = sigmoid(std::abs(difference));
    report.accuracy += correct(difference), report.loss -= log_sigmoid(difference);
    auto& bin = report.bins[static_cast<size_t>(std::clamp(static_cast<int>((confidence - 0.5) * 10), 0, bins - 1))];
    ++bin.count, bin.confidence += confidence, bin.accuracy += correct(difference);
  }
  const auto n = static_cast<double>(report.preferences - report.ties);
  if (n == 0) return report;
  report.accuracy /= n, report.loss /= n;
  std::tie(report.low, report.high) = interval(report.accuracy, n);
  for (PreferenceReport::Bin& bin : report.bins) {
    if (bin.count == 0) continue;
    const auto count = static_cast<double>(bin.count);
    bin.confidence /= count, bin.accuracy /= count;
    report.calibration_error += count / n * std::abs(bin.confidence - bin.accuracy);
  }
  return report;
}

std::string text_of(const PreferenceReport& r) {
  std::string text = fmt::format(
      "{} preferences ({} ties left out): accuracy {:.4f} (95%: {:.3f} to {:.3f}), loss {:.4f}, calibration error "
      "{:.4f}\n",
      r.preferences, r.ties, r.accuracy, r.low, r.high, r.loss, r.calibration_error);
  for (const PreferenceReport::Bin& bin : r.bins)
    text += bin.count == 0 ? fmt::format("  {:.1f} to {:.1f}: none\n", bin.from, bin.to)
                           : fmt::format("  {:.1f} to {:.1f}: {} preferences, sure of {:.3f}, right in {:.3f}\n",
                                         bin.from, bin.to, bin.count, bin.confidence, bin.accuracy);
  return text;
}

OrderedJson json_of(const PreferenceReport& r) {
  OrderedJson json = {{"preferences", r.preferences},
                      {"ties", r.ties},
                      {"accuracy", r.accuracy},
                      {"accuracy_95", {r.low, r.high}},
                      {"loss", r.loss},
                      {"calibration_error", r.calibration_error},
                      {"bins", OrderedJson::array()}};
  for (const PreferenceReport::Bin& b : r.bins)
    json["bins"].push_back(
        {{"from", b.from}, {"to", b.to}, {"count", b.count}, {"confidence", b.confidence}, {"accuracy", b.accuracy}});
  return json;
}

}  // namespace fathom
