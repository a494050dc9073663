#include "ops/capacity.h"

#include <vector>

#include "ops/expert_sort.h"

namespace fathom::reference {
namespace {

// A choice of unit u, for one group.
template <class T>
struct Choice {
  int64_t slot;  // n * K + k
  T score;

  // NaN beats nothing and is beaten by nothing.
  bool beats(const Choice& other) const {
    return score > other.score || (score == other.score && slot < other.slot);
  }
};

template <class T>
std::vector<Choice<T>> choices_of(const Capacity& a, int64_t u, int64_t d) {
  const int64_t K = a.ids.cols(), slots = a.ids.rows() / a.exempt.cols() * K,
                size = a.scores.cols() / a.n_groups;
  std::vector<Choice<T>> choices;
  for (int64_t slot = u * slots; slot < (u + 1) * slots; ++slot) {
    const int32_t id = a.ids.row<int32_t>(slot / K)[slot % K];
    if (id / size == d) choices.push_back({slot, a.scores.row<T>(slot / K)[id]});
  }
  return choices;
}

}  // namespace

void capacity(Device&, const Capacity& a) {
  with_dtype<double, float>("capacity", a.scores.dtype, [&]<class T>(T) {
    const int64_t K = a.ids.cols();
    for (int64_t u = 0; u < a.exempt.cols(); ++u)
      for (int64_t d = 0; d < a.n_groups; ++d) {
        const std::vector<Choice<T>> choices = choices_of<T>(a, u, d);
        for (const Choice<T>& choice : choices) {
          int64_t better = 0;
          for (const Choice<T>& other : choices) better += other.beats(choice);
          const bool drop = !a.exempt.as<int32_t>()[u] && better >= a.capacity;
          const int64_t n = choice.slot / K, k = choice.slot % K;
          a.kept.row<int32_t>(n)[k] = drop ? ExpertSort::nowhere : a.ids.row<int32_t>(n)[k];
          if (drop && a.dropped) ++*a.dropped.as<int32_t>();
        }
      }
  });
}

}  // namespace fathom::reference
