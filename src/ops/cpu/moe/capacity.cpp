// The units' groups over threads; each finds its last choice that has room by partial sorting.
#include "ops/capacity.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>

#include "ops/choice_rank.h"
#include "ops/expert_sort.h"

namespace fathom::cpu {
namespace {

// One group of one unit.
struct Part {
  const Capacity& a;
  int64_t group, first, end;  // slots first .. end - 1

  Part(const Capacity& args, int64_t unit, int64_t d) : a(args), group(d) {
    const int64_t slots = a.ids.count() / a.exempt.cols();
    first = unit * slots, end = first + slots;
  }
  // f(id's place in kept, id, rank) for each choice of the group.
  template <class F>
  void each(const F& f) const {
    const int64_t K = a.ids.cols(), size = a.scores.cols() / a.n_groups;
    for (int64_t slot = first; slot < end; ++slot) {
      const int64_t n = slot / K, k = slot % K;
      const int32_t id = a.ids.row<int32_t>(n)[k];
      if (id / size != group) continue;
      const auto score = std::bit_cast<uint32_t>(a.scores.row<float>(n)[id]);
      f(a.kept.row<int32_t>(n)[k], id, choice_rank(score, slot - first));
    }
  }
};

// Returns how many choices it drops. `ranks` has room for all of the unit.
int32_t keep(const Part& part, bool exempt, uint64_t* ranks) {
  int64_t count = 0;
  part.each([&](int32_t&, int32_t, uint64_t rank) { ranks[count++] = rank; });
  const int64_t room = exempt ? count : std::min(part.a.capacity, count);
  std::nth_element(ranks, ranks + room, ranks + count, std::greater());
  // The largest rank that has no room, if there is one.
  const uint64_t past = room < count ? ranks[room] : 0;
  part.each([&](int32_t& kept, int32_t id, uint64_t rank) {
    kept = room == count || rank > past ? id : ExpertSort::nowhere;
  });
  return static_cast<int32_t>(count - room);
}

}  // namespace

void capacity(Device& device, const Capacity& a) {
  with_dtype<float>("capacity", a.scores.dtype, [&](float) {
    const int64_t U = a.exempt.cols(), D = a.n_groups, slots = a.ids.count() / U;
    auto* dropped = static_cast<int32_t*>(device.shared_scratch(U * D * sizeof(int32_t)));
    parallel_tasks(device.threads(), U * D, [&](int thread, int64_t task) {
      const int64_t u = task / D;
      auto* ranks = static_cast<uint64_t*>(device.scratch(thread, slots * sizeof(uint64_t)));
      dropped[task] = keep(Part(a, u, task % D), a.exempt.as<int32_t>()[u] != 0, ranks);
    });
    if (a.dropped) *a.dropped.as<int32_t>() += std::accumulate(dropped, dropped + U * D, 0);
  });
}

}  // namespace fathom::cpu
