// Links and exchanges by hand, and how many ranks a token's experts are on by trying every choice.
#include "plan/cluster.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

#include "train/expert_spread.h"

namespace fathom {
namespace {

Config experts(int64_t E, int64_t K, int64_t groups, int64_t used) {
  Config c;
  c.n_routed_experts = E, c.num_experts_per_tok = K, c.n_group = groups, c.topk_group = used;
  c.topk_method = groups > 1 ? TopkMethod::group_limited_greedy : TopkMethod::greedy;
  return c;
}

// Every set of `used` groups, and of each every set of K of its experts.
std::pair<double, int64_t> by_trying(const Config& c, int64_t ranks) {
  const int64_t E = c.n_routed_experts, size = E / c.expert_groups(), own = E / ranks;
  double sum = 0, tried = 0;
  int64_t most = 0;
  for (unsigned groups = 0; groups < 1u << c.expert_groups(); ++groups) {
    if (std::popcount(groups) != c.groups_per_token()) continue;
    for (unsigned chosen = 0; chosen < 1u << E; ++chosen) {
      if (std::popcount(chosen) != c.num_experts_per_tok) continue;
      std::set<int64_t> reached;
      bool allowed = true;
      for (int64_t e = 0; e < E; ++e) {
        if ((chosen >> e & 1) == 0) continue;
        allowed = allowed && (groups >> (e / size) & 1) != 0;
        reached.insert(e / own);
      }
      if (!allowed) continue;
      sum += static_cast<double>(reached.size()), ++tried;
      most = std::max(most, static_cast<int64_t>(reached.size()));
    }
  }
  return {sum / tried, most};
}

TEST(Cluster, RanksThatATokenReaches) {
  for (const Config& c :
       {experts(12, 3, 1, 1), experts(12, 3, 4, 2), experts(12, 4, 6, 3), experts(8, 2, 2, 1)})
    for (const int64_t ranks : {1, 2, 3, 4, 6, 12}) {
      if (c.n_routed_experts % ranks != 0) continue;
      const auto [mean, most] = by_trying(c, ranks);
      EXPECT_NEAR(ranks_per_token(c, ranks), mean, 1e-12) << ranks << " ranks, " << c.n_group << " groups";
      EXPECT_GE(most_ranks_per_token(c, ranks), most) << ranks << " ranks, " << c.n_group << " groups";
      if (c.n_group % ranks == 0 || ranks % c.n_group == 0) {
        EXPECT_EQ(most_ranks_per_token(c, ranks), most);
      }
    }
}

// The paper: 160 experts in 8 groups of which a token uses 3, on 8 devices.
TEST(Cluster, DeviceLimitedRouting) {
  const Config v2 = experts(160, 6, 8, 3);
  EXPECT_EQ(most_ranks_per_token(v2, 8), 3);
  EXPECT_GT(ranks_per_token(v2, 8), 2.7);
  EXPECT_LT(ranks_per_token(v2, 8), 3);
  EXPECT_EQ(most_ranks_per_token(experts(160, 6, 1, 1), 8), 6);
}

const Cluster two_hosts = {
    .gpus = 8, .gpus_per_host = 4, .in_host = 100, .between_hosts = 10, .latency = 0.5};

TEST(Cluster, WhoTalksToWhom) {
  const auto is = [](const RankGroup& g, int64_t ranks, int64_t in_host) {
    return g.ranks == ranks && g.in_host == in_host;
  };
  EXPECT_TRUE(is(stage_group(two_hosts, {1, 2, 4}), 8, 4));
  EXPECT_TRUE(is(stage_group(two_hosts, {4, 2, 1}), 2, 2));
  EXPECT_TRUE(is(expert_group(two_hosts, {1, 8, 1}), 8, 4));
  EXPECT_TRUE(is(replica_group(two_hosts, {1, 2, 4}), 4, 2));
  EXPECT_TRUE(is(replica_group(two_hosts, {1, 4, 2}), 2, 1));
  EXPECT_TRUE(is(replica_group(two_hosts, {2, 4, 1}), 1, 1));
}

TEST(Cluster, Seconds) {
  EXPECT_EQ(ring_seconds(two_hosts, {1, 1}, 1000), 0);
  EXPECT_DOUBLE_EQ(ring_seconds(two_hosts, {4, 4}, 1000), 750.0 / 100 + 0.5);
  EXPECT_DOUBLE_EQ(ring_seconds(two_hosts, {8, 4}, 1000), 875.0 / 40 + 0.5);  // 4 cards a host
  EXPECT_DOUBLE_EQ(ring_seconds(two_hosts, {2, 1}, 1000), 500.0 / 10 + 0.5);
  EXPECT_EQ(all_to_all_seconds(two_hosts, {1, 1}, 1000), 0);
  EXPECT_DOUBLE_EQ(all_to_all_seconds(two_hosts, {4, 4}, 1000), 1000.0 / 100 + 0.5);
  EXPECT_DOUBLE_EQ(all_to_all_seconds(two_hosts, {8, 4}, 700), 400.0 / 10 + 0.5);
  EXPECT_EQ(send_seconds(two_hosts, {1, 1, 8}, 1000), 0);
  EXPECT_DOUBLE_EQ(send_seconds(two_hosts, {2, 1, 4}, 1000), 1000.0 / 10 + 0.5);
}

}  // namespace
}  // namespace fathom
