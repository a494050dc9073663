#include "train/expert_spread.h"

#include <algorithm>
#include <vector>

namespace fathom {
namespace {

// The part of all sets of K of n experts that holds none of `avoided`.
double none_of(int64_t n, int64_t avoided, int64_t K) {
  double part = 1;
  for (int64_t k = 0; k < K; ++k)
    part *= static_cast<double>(std::max<int64_t>(n - avoided - k, 0)) / static_cast<double>(n - k);
  return part;
}

// How many of the experts [first, end) each group has.
std::vector<int64_t> experts_by_group(int64_t groups, int64_t group_size, int64_t first, int64_t end) {
  std::vector<int64_t> counts;
  for (int64_t g = 0; g < groups; ++g)
    counts.push_back(
        std::max<int64_t>(std::min(end, (g + 1) * group_size) - std::max(first, g * group_size), 0));
  return counts;
}

// Of all sets of M groups: how likely it is that x of a rank's experts can be chosen.
std::vector<double> choosable(const std::vector<int64_t>& counts, int64_t M, int64_t most) {
  // ways[m][x]: sets of m groups with x of the rank's experts
  std::vector<std::vector<double>> ways(static_cast<size_t>(M + 1),
                                        std::vector<double>(static_cast<size_t>(most + 1)));
  ways[0][0] = 1;
  for (const int64_t count : counts)
    for (int64_t m = M; m > 0; --m)
      for (int64_t x = most; x >= count; --x)
        ways[static_cast<size_t>(m)][static_cast<size_t>(x)] +=
            ways[static_cast<size_t>(m - 1)][static_cast<size_t>(x - count)];
  std::vector<double> chosen = ways[static_cast<size_t>(M)];
  double all = 0;
  for (const double w : chosen) all += w;
  for (double& w : chosen) w /= all;
  return chosen;
}

}  // namespace

double ranks_per_token(const Config& c, int64_t expert_ranks) {
  const int64_t groups = c.expert_groups(), M = c.groups_per_token(),
                group_size = c.n_routed_experts / groups, own = c.n_routed_experts / expert_ranks;
  double ranks = 0;
  for (int64_t r = 0; r < expert_ranks; ++r) {
    const std::vector<double> likely =
        choosable(experts_by_group(groups, group_size, r * own, (r + 1) * own), M, own);
    for (size_t x = 0; x < likely.size(); ++x)
      if (likely[x] > 0)
        ranks += likely[x] * (1 - none_of(M * group_size, static_cast<int64_t>(x), c.num_experts_per_tok));
  }
  return ranks;
}

int64_t most_ranks_per_token(const Config& c, int64_t expert_ranks) {
  const int64_t group_size = c.n_routed_experts / c.expert_groups(), own = c.n_routed_experts / expert_ranks;
  // A group lies on so many ranks when it begins where a rank's experts do, else on one more.
  const int64_t across = (group_size + own - 1) / own + (group_size % own != 0 && own % group_size != 0);
  return std::min({c.num_experts_per_tok, expert_ranks, c.groups_per_token() * across});
}

}  // namespace fathom
