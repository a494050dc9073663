#include "model/verify_routing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "tensor/compare.h"

namespace fathom {
namespace {

// Distinct ids of existing experts, row by row.
void check_experts(const Config& c, const std::vector<int32_t>& ids, const std::string& where) {
  const auto K = static_cast<size_t>(c.num_experts_per_tok);
  for (size_t row = 0; row < ids.size(); row += K)
    for (size_t k = 0; k < K; ++k) {
      const int32_t id = ids[row + k];
      check(id >= 0 && id < c.n_routed_experts, "{}: row {} names expert {}, expected 0..{}", where, row / K,
            id, c.n_routed_experts - 1);
      for (size_t j = 0; j < k; ++j)
        check(ids[row + j] != id, "{}: row {} names expert {} twice", where, row / K, id);
    }
}

// What is ranked, an expert or a group: by its value, which a change of log scores by d moves by d * slope.
// Without a bias the value is a log score itself; with one, it is a sum of scores and biases.
struct Ranked {
  double value = 0, slope = 0;

  static Ranked expert(double score, double bias, bool biased) {
    return biased ? Ranked{score + bias, score} : Ranked{std::log(score), 1};
  }
  // Of experts that are sorted, best first.
  static Ranked group(const Ranked* experts, size_t size, bool biased) {
    if (!biased || size == 1) return experts[0];
    return {experts[0].value + experts[1].value, experts[0].slope + experts[1].slope};
  }
};

// By how much something that is left out is ahead of something that is taken, in log scores; 0 when nothing
// is.
double lead(const std::vector<Ranked>& all, const std::vector<bool>& taken,
            const std::vector<bool>& allowed) {
  double most = 0;
  for (size_t out = 0; out < all.size(); ++out)
    for (size_t in = 0; in < all.size(); ++in)
      if (allowed[out] && allowed[in] && taken[in] && !taken[out])
        most = std::max(most, 2 * (all[out].value - all[in].value) / (all[out].slope + all[in].slope));
  return most;
}

std::vector<Ranked> rank_groups(const Config& c, const std::vector<Ranked>& experts) {
  const auto groups = static_cast<size_t>(c.n_group), size = experts.size() / groups;
  std::vector<Ranked> ranked;
  for (size_t g = 0; g < groups; ++g) {
    std::vector<Ranked> own(experts.begin() + g * size, experts.begin() + (g + 1) * size);
    std::sort(own.begin(), own.end(), [](const Ranked& a, const Ranked& b) { return a.value > b.value; });
    ranked.push_back(Ranked::group(own.data(), size, c.topk_method == TopkMethod::noaux_tc));
  }
  return ranked;
}

// Distance of a set of experts from the one that these would be chosen as.
double distance(const Config& c, const std::vector<Ranked>& experts, const int32_t* chosen) {
  const auto E = static_cast<size_t>(c.n_routed_experts), K = static_cast<size_t>(c.num_experts_per_tok);
  std::vector<bool> taken(E, false), allowed(E, true);
  for (size_t k = 0; k < K; ++k) taken[static_cast<size_t>(chosen[k])] = true;
  if (c.topk_method == TopkMethod::greedy) return lead(experts, taken, allowed);

  // The groups of these experts, and the best of the others up to the number allowed.
  const auto groups = static_cast<size_t>(c.n_group), size = E / groups;
  const std::vector<Ranked> ranked = rank_groups(c, experts);
  std::vector<bool> used(groups, false);
  for (size_t e = 0; e < E; ++e)
    if (taken[e]) used[e / size] = true;
  auto n = std::count(used.begin(), used.end(), true);
  if (n > c.topk_group) return std::numeric_limits<double>::infinity();
  for (; n < c.topk_group; ++n) {
    size_t next = groups;
    for (size_t g = 0; g < groups; ++g)
      if (!used[g] && (next == groups || ranked[g].value > ranked[next].value)) next = g;
    used[next] = true;
  }
  for (size_t e = 0; e < E; ++e) allowed[e] = used[e / size];
  return std::max(lead(ranked, used, std::vector<bool>(groups, true)), lead(experts, taken, allowed));
}

bool same_set(const int32_t* a, const int32_t* b, int64_t K) {
  return std::is_permutation(a, a + K, b);
}

int64_t product(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

}  // namespace

std::optional<RoutingTable> read_routing(const SafetensorsFile& golden, const Config& c,
                                         const std::string& prefix, int64_t rows) {
  RoutingTable table(static_cast<size_t>(c.num_hidden_layers));
  std::vector<std::string> missing;
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    if (!c.is_moe_layer(i)) continue;
    const std::string name = prefix + "." + std::to_string(i);
    const SafetensorsEntry* entry = golden.entry(name);
    if (!entry) {
      missing.push_back(name);
      continue;
    }
    const std::string where = golden.path() + ": " + name;
    check(!entry->shape.empty() && entry->shape.back() == c.num_experts_per_tok &&
              product(entry->shape) == rows * c.num_experts_per_tok,
          "{}: {} ids for {} tokens of {} experts each", where, product(entry->shape), rows,
          c.num_experts_per_tok);
    table[static_cast<size_t>(i)] = golden.read_ints(name);
    check_experts(c, table[static_cast<size_t>(i)], where);
  }
  if (static_cast<int64_t>(missing.size()) == c.n_moe_layers()) return {};
  check(missing.empty(), "{}: has experts of some MoE layers, but not '{}'", golden.path(),
        missing.empty() ? "" : missing.front());
  return table;
}

double routing_error(const Config& c, const ConstTensor& scores, const ConstTensor& bias,
                     const ConstTensor& chosen, const std::vector<int32_t>& given) {
  constexpr double smallest = 1e-38;  // a score may underflow to 0
  const int64_t N = scores.rows(), E = scores.cols(), K = chosen.cols();
  const bool biased = static_cast<bool>(bias);
  double spread = 0, worst = 0;
  for (int64_t n = 0; n < N; ++n) {
    std::vector<double> log_scores(static_cast<size_t>(E));
    std::vector<Ranked> experts(static_cast<size_t>(E));
    for (int64_t e = 0; e < E; ++e) {
      const double score = std::max(element(scores, n, e), smallest);
      log_scores[e] = std::log(score);
      experts[e] = Ranked::expert(score, biased ? element(bias, 0, e) : 0, biased);
    }
    const double mean = std::accumulate(log_scores.begin(), log_scores.end(), 0.0) / static_cast<double>(E);
    for (const double s : log_scores) spread += (s - mean) * (s - mean);
    const int32_t *ours = chosen.row<int32_t>(n), *theirs = given.data() + n * K;
    if (!same_set(ours, theirs, K))
      worst = std::max({worst, distance(c, experts, theirs), distance(c, experts, ours)});
  }
  if (std::isnan(spread)) return spread;
  return worst == 0 ? 0 : worst / std::sqrt(spread / static_cast<double>(N * E));
}

}  // namespace fathom
