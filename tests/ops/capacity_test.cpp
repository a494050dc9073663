#include "ops/capacity.h"

#include <algorithm>
#include <vector>

#include "ops/expert_sort.h"
#include "support/op_test.h"

namespace fathom::testing {
namespace {

class CapacityTest : public OpTest {
 protected:
  // K different experts of each token.
  std::vector<int32_t> choices(int64_t N, int64_t K, int64_t E) {
    std::vector<int32_t> chosen;
    for (int64_t n = 0; n < N; ++n) {
      const auto first = static_cast<int64_t>(rng_.below(static_cast<uint64_t>(E)));
      for (int64_t k = 0; k < K; ++k) chosen.push_back(static_cast<int32_t>((first + k * k) % E));
    }
    return chosen;
  }
  struct Results {
    Pair kept, dropped;
  };
  Results keep(const Pair& ids, const Pair& scores, const Pair& exempt, int D, int64_t capacity) {
    const Results out = {integers({ids.ref.rows(), ids.ref.cols()}), integers({1}, {100})};
    run(fathom::capacity, [&](auto pick) {
      return Capacity{.kept = pick(out.kept),
                      .dropped = pick(out.dropped),
                      .ids = pick(ids),
                      .scores = pick(scores),
                      .exempt = pick(exempt),
                      .n_groups = D,
                      .capacity = capacity};
    });
    expect_close("kept", out.kept);
    expect_close("dropped", out.dropped);
    return out;
  }
  int32_t kept(const Results& r, int64_t n, int64_t k) { return r.kept.target.row<int32_t>(n)[k]; }
};
FATHOM_OP_TEST(CapacityTest);

// Against a sort of each group's choices of each unit.
TEST_P(CapacityTest, KeepsTheHighestScoresOfEachGroup) {
  const int64_t U = 3, E = 12, K = 3;
  for (const int64_t T : {1, 7, 60, 900})
    for (const auto& [D, room] : {std::pair<int, int64_t>{4, 5}, {4, 0}, {1, T}, {12, T / 4}, {2, 3 * T}}) {
      const int64_t N = U * T;
      const Pair ids = integers({N, K}, choices(N, K, E)), exempt = integers({U}, {0, 1, 0}),
                 scores = filled({N, E}, stat(), [&](int64_t) { return rng_.uniform(); });
      const Results r = keep(ids, scores, exempt, D, room);
      int32_t dropped = 0;
      for (int64_t u = 0; u < U; ++u)
        for (int64_t d = 0; d < D; ++d) {
          std::vector<std::pair<double, int64_t>> group;
          for (int64_t slot = u * T * K; slot < (u + 1) * T * K; ++slot) {
            const int32_t id = ids.ref.row<int32_t>(slot / K)[slot % K];
            if (id / (E / D) == d) group.emplace_back(-scores.ref.row<double>(slot / K)[id], slot);
          }
          std::sort(group.begin(), group.end());
          for (size_t i = 0; i < group.size(); ++i) {
            const int64_t n = group[i].second / K, k = group[i].second % K;
            const bool drop = u != 1 && static_cast<int64_t>(i) >= room;
            dropped += drop;
            ASSERT_EQ(kept(r, n, k), drop ? ExpertSort::nowhere : ids.ref.row<int32_t>(n)[k])
                << T << " tokens, " << D << " groups, slot " << group[i].second;
          }
        }
      EXPECT_EQ(r.dropped.target.as<int32_t>()[0], 100 + dropped);
    }
}

TEST_P(CapacityTest, OfEqualScoresTheFirstSlotsStay) {
  const int64_t N = 300, K = 2, E = 4;
  std::vector<int32_t> chosen;
  for (int64_t n = 0; n < N; ++n) chosen.insert(chosen.end(), {1, 0});
  const Pair ids = integers({N, K}, chosen), exempt = integers({1}, {0}),
             scores = filled({N, E}, stat(), [](int64_t) { return 0.25; });
  const Results r = keep(ids, scores, exempt, 2, 201);
  for (int64_t slot = 0; slot < N * K; ++slot)
    ASSERT_EQ(kept(r, slot / K, slot % K), slot < 201 ? chosen[slot] : ExpertSort::nowhere) << slot;
}

TEST_P(CapacityTest, NearlyEqualScoresAreToldApart) {
  const int64_t N = 64;
  const Pair ids = integers({N, 1}, std::vector<int32_t>(N, 0)), exempt = integers({1}, {0}),
             scores = filled({N, 1}, stat(), [](int64_t i) {
               return 0.5 + static_cast<double>(i * 37 % 64) * std::numeric_limits<float>::epsilon();
             });
  const Results r = keep(ids, scores, exempt, 1, 10);
  for (int64_t n = 0; n < N; ++n) EXPECT_EQ(kept(r, n, 0) == 0, n * 37 % 64 >= 54) << n;
}

// With more room than choices, and in exempt units, nothing changes; the number dropped is optional.
TEST_P(CapacityTest, RoomForAllDropsNothing) {
  const int64_t N = 40, K = 3, E = 6;
  const Pair ids = integers({N, K}, choices(N, K, E)), kept = integers({N, K}), none,
             scores = filled({N, E}, stat(), [&](int64_t) { return rng_.uniform(); });
  for (const auto& [room, flag] : {std::pair{N * K, 0}, {int64_t{1} << 40, 0}, {int64_t{0}, 1}}) {
    const Pair exempt = integers({2}, {flag, flag});
    run(fathom::capacity, [&, room = room](auto pick) {
      return Capacity{.kept = pick(kept),
                      .dropped = pick(none),
                      .ids = pick(ids),
                      .scores = pick(scores),
                      .exempt = pick(exempt),
                      .n_groups = 3,
                      .capacity = room};
    });
    for (int64_t i = 0; i < N * K; ++i)
      ASSERT_EQ(kept.target.as<int32_t>()[i], ids.target.as<int32_t>()[i]) << i;
  }
}

TEST_P(CapacityTest, NamesTheFieldThatIsWrong) {
  const Pair ids = integers({4, 1}, {0, 1, 2, 3}), kept = integers({4, 1}), two = integers({2}, {0, 0}),
             three = integers({3}, {0, 0, 0}), scores = random_stat({4, 4});
  const Capacity good = {.kept = kept.target,
                         .dropped = {},
                         .ids = ids.target,
                         .scores = scores.target,
                         .exempt = two.target,
                         .n_groups = 2,
                         .capacity = 1};
  fathom::capacity(device_, good);
  const auto refused = [&](const auto& change) {
    Capacity wrong = good;
    change(wrong);
    EXPECT_THROW(fathom::capacity(device_, wrong), Error);
  };
  refused([&](Capacity& a) { a.exempt = three.target; });
  refused([&](Capacity& a) { a.n_groups = 3; });
  refused([&](Capacity& a) { a.capacity = -1; });
  refused([&](Capacity& a) { a.kept = two.target; });
  refused([&](Capacity& a) { a.dropped = two.target; });
}

}  // namespace
}  // namespace fathom::testing
