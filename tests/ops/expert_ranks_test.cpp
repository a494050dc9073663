#include "ops/expert_ranks.h"

#include <set>

#include "expert_order.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

class ExpertRanksTest : public ExpertOrderTest {
 protected:
  // K different experts of E for each token, every seventh slot nowhere.
  std::vector<int32_t> choices(int64_t N, int64_t K, int64_t E) {
    std::vector<int32_t> ids;
    for (int64_t n = 0; n < N; ++n) {
      std::set<int32_t> chosen;
      while (static_cast<int64_t>(chosen.size()) < K)
        chosen.insert(static_cast<int32_t>(rng_.below(static_cast<uint64_t>(E))));
      ids.insert(ids.end(), chosen.begin(), chosen.end());
    }
    for (size_t i = 3; i < ids.size(); i += 7) ids[i] = ExpertSort::nowhere;
    return ids;
  }
};
FATHOM_OP_TEST(ExpertRanksTest);

TEST_P(ExpertRanksTest, ATokenGoesOnceToEachRankOfItsChoice) {
  const Pair ids = integers({3, 4}, {0, 5, 1, 4, 3, -1, 2, 3, -1, -1, -1, -1}), ranks = integers({3, 4}),
             choices = integers({3}, {10, 20, 30});
  run(expert_ranks, [&](auto pick) {
    return ExpertRanks{.ranks = pick(ranks), .choices = pick(choices), .ids = pick(ids), .experts = 2};
  });
  const int32_t to[] = {0, 2, -1, -1, 1, -1, -1, -1, -1, -1, -1, -1}, counts[] = {12, 23, 32};
  EXPECT_TRUE(std::equal(to, to + 12, ranks.target.as<int32_t>()));
  EXPECT_TRUE(std::equal(counts, counts + 3, choices.target.as<int32_t>()));
  expect_close("ranks", ranks);
  expect_close("choices", choices);

  const Order order = sort(3, 4, 3, {to, to + 12});  // rows: token 0, token 1, token 0
  const Pair local = integers({3, 4});
  run(expert_ranks_local, [&](auto pick) {
    return ExpertRanksLocal{
        .local = pick(local), .ids = pick(ids), .row_of = pick(order.row_of), .experts = 2};
  });
  const int32_t numbered[] = {0, -1, 1, -1, 1, -1, 0, 1, -1, 1, -1, 0};
  EXPECT_TRUE(std::equal(numbered, numbered + 12, local.target.as<int32_t>()));
  expect_close("local", local);
}

// Every choice arrives once, under the number that its rank gives it.
TEST_P(ExpertRanksTest, AnyShape) {
  for (const auto& [N, K, R, per_rank] :
       {std::tuple{0, 3, 2, 4}, {1, 1, 1, 1}, {40, 3, 4, 2}, {1000, 6, 8, 20}, {300, 4, 300, 1}}) {
    const auto experts = per_rank;  // a lambda cannot take a structured binding along
    const std::vector<int32_t> chosen = choices(N, K, R * experts);
    const Pair ids = integers({N, K}, chosen), ranks = integers({N, K}),
               counts = integers({R}, std::vector<int32_t>(R, 0));
    run(expert_ranks, [&](auto pick) {
      return ExpertRanks{.ranks = pick(ranks), .choices = pick(counts), .ids = pick(ids), .experts = experts};
    });
    expect_close("ranks", ranks);
    expect_close("choices", counts);
    const int32_t* to = ranks.target.as<int32_t>();
    const Order order = sort(N, K, R, {to, to + N * K});
    const int64_t S = used_rows(order);
    const Pair local = integers({S, K});
    run(expert_ranks_local, [&](auto pick) {
      return ExpertRanksLocal{
          .local = pick(local), .ids = pick(ids), .row_of = pick(order.row_of), .experts = experts};
    });
    expect_close("local", local);
    std::multiset<int32_t> want, got;
    for (const int32_t id : chosen)
      if (id != ExpertSort::nowhere) want.insert(id);
    for (int64_t r = 0; r < R; ++r)
      for (int64_t m = order.offsets.ref.as<int32_t>()[r]; m < order.offsets.ref.as<int32_t>()[r + 1]; ++m)
        for (int64_t k = 0; k < K; ++k)
          if (const int32_t id = local.target.row<int32_t>(m)[k]; id != ExpertSort::nowhere)
            got.insert(static_cast<int32_t>(r * experts) + id);
    EXPECT_EQ(got, want);
  }
}

TEST_P(ExpertRanksTest, NamesTheFieldThatIsWrong) {
  const Pair ids = integers({3, 2}, {0, 1, 2, 3, 4, 5}), two = integers({2}), rows = integers({5, 2});
  EXPECT_THROW(
      expert_ranks(device_, {.ranks = ids.target, .choices = ids.target, .ids = ids.target, .experts = 3}),
      Error);
  EXPECT_THROW(expert_ranks(device_, {.ranks = ids.target, .choices = two.target, .ids = ids.target}), Error);
  EXPECT_THROW(expert_ranks_local(
                   device_, {.local = two.target, .ids = ids.target, .row_of = ids.target, .experts = 3}),
               Error);
  if (!device_.on_host()) return;
  EXPECT_NE(error_of([&] {
              expert_ranks_local(
                  device_, {.local = rows.target, .ids = ids.target, .row_of = ids.target, .experts = 3});
            }).find("row_of[2, 1] is 5"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
