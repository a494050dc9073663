#include "train/expert_load.h"

#include <algorithm>
#include <numeric>

namespace fathom {
namespace {

template <class Counts>
int64_t sum(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

template <class Counts>
double busiest_over_mean(const Counts& counts) {
  const auto total = static_cast<double>(sum(counts));
  if (total == 0) return 0;
  return static_cast<double>(*std::max_element(counts.begin(), counts.end())) *
         static_cast<double>(counts.size()) / total;
}

std::span<const int32_t> row(const std::vector<int32_t>& all, int64_t row, int64_t width) {
  return std::span(all).subspan(static_cast<size_t>(row * width), static_cast<size_t>(width));
}

double share(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(std::max<int64_t>(whole, 1));
}

}  // namespace

std::span<const int32_t> ExpertLoad::experts_of(int64_t layer) const {
  return row(experts, layer, E);
}
std::span<const int32_t> ExpertLoad::sent_of(int64_t layer) const {
  return row(sent, layer, D);
}
std::vector<int64_t> ExpertLoad::groups_of(int64_t layer) const {
  std::vector<int64_t> groups;
  for (int64_t d = 0; d < D; ++d)
    groups.push_back(
        sum(experts_of(layer).subspan(static_cast<size_t>(d * E / D), static_cast<size_t>(E / D))));
  return groups;
}

double ExpertLoad::expert_load(int64_t layer) const {
  return busiest_over_mean(experts_of(layer));
}
double ExpertLoad::group_load(int64_t layer) const {
  return busiest_over_mean(groups_of(layer));
}
double ExpertLoad::sent_load(int64_t layer) const {
  return busiest_over_mean(sent_of(layer));
}

double ExpertLoad::expert_load() const {
  double worst = 0;
  for (const int64_t layer : moe_layers) worst = std::max(worst, expert_load(layer));
  return worst;
}
double ExpertLoad::group_load() const {
  double worst = 0;
  for (const int64_t layer : moe_layers) worst = std::max(worst, group_load(layer));
  return worst;
}

double ExpertLoad::dropped_share(int64_t layer) const {
  return dropped.empty() ? 0 : share(dropped[static_cast<size_t>(layer)], sum(experts_of(layer)));
}
double ExpertLoad::dropped_share() const {
  return share(sum(dropped), sum(experts));
}

}  // namespace fathom
