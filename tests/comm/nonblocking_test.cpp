// Several collectives under way at once, and ranks that come late.
#include <atomic>
#include <chrono>
#include <thread>

#include "base/rng.h"
#include "comm/ranks.h"

namespace fathom::testing {
namespace {

class NonblockingTest : public Ranks {
 protected:
  double sum(int64_t i) const {
    double total = 0;
    for (int r = 0; r < size(); ++r) total += held(r, i);
    return total;
  }
};

TEST_P(NonblockingTest, RanksWaitInDifferentOrders) {
  constexpr int64_t n = 60;
  std::vector<Tensor> sums;
  std::vector<Pending> pending;
  for (int k = 0; k < 3; ++k) {
    sums.push_back(make<float>({n}, [&](int64_t i) { return held(rank(), i) + k; }));
    pending.push_back(comm().start(AllReduce{.x = sums.back()}));
  }
  const Tensor share = filled<float>({n}, -9), copy = filled<float>({1}, rank());
  const Tensor in = make<float>({n * size()}, [&](int64_t i) { return held(rank(), i); });
  pending.push_back(comm().start(ReduceScatter{.out = share, .in = in}));
  pending.push_back(comm().start(Broadcast{.x = copy, .root = size() - 1}));
  const size_t ops = pending.size();
  for (size_t k = 0; k < ops; ++k) pending[rank() % 2 ? ops - 1 - k : k].wait();
  for (int k = 0; k < 3; ++k)
    EXPECT_EQ(read<float>(sums[k]), expected(n, [&](int64_t i) { return sum(i) + k * size(); }));
  EXPECT_EQ(read<float>(share), expected(n, [&](int64_t i) { return sum(rank() * n + i); }));
  EXPECT_EQ(read<float>(copy), expected(1, [&](int64_t) { return size() - 1; }));
}

TEST_P(NonblockingTest, APendingKnowsWhetherItIsDone) {
  const Tensor x = filled<float>({100}, 1);
  Pending pending = comm().start(AllReduce{.x = x});
  Pending moved = std::move(pending);
  EXPECT_TRUE(pending.done());
  moved.wait();
  moved.wait();
  EXPECT_TRUE(moved.done());
  EXPECT_EQ(read<float>(x), expected(100, [&](int64_t) { return size(); }));
}

// Of several pieces, each of which is added up before another is sent.
TEST_P(NonblockingTest, ArrivesWhileNobodyWaits) {
  if (!on_host())
    GTEST_SKIP() << "of host memory alone: NCCL may be writing what it reads; comm_test runs it there";
  const int64_t n = 6 * GetParam().limits.reduced_bytes / 4;
  const Tensor share = filled<float>({n}, -99),
               in = make<float>({n * size()}, [&](int64_t i) { return held(rank(), i); });
  Pending pending = comm().start(ReduceScatter{.out = share, .in = in});
  const std::atomic_ref<float> last(share.as<float>()[n - 1]);
  const auto begin = std::chrono::steady_clock::now();
  while (last.load() == -99 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(20))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(last.load(), static_cast<float>(sum(rank() * n + n - 1)));
  pending.wait();
  EXPECT_EQ(read<float>(share), expected(n, [&](int64_t i) { return sum(rank() * n + i); }));
}

// The same random program on every rank, with random pauses of its own.
TEST_P(NonblockingTest, RandomCollectivesWithRandomDelays) {
  Rng plan(11), pauses(12, static_cast<uint64_t>(rank()));
  const auto maybe_pause = [&] {
    if (pauses.below(4) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(pauses.below(4)));
  };
  for (int step = 0; step < 25; ++step) {
    const auto n = static_cast<int64_t>(plan.below(70));
    const Tensor x = make<double>({n}, [&](int64_t i) { return held(rank(), i + step); });
    const Tensor all = filled<double>({size(), n}, -9);
    const int root = static_cast<int>(plan.below(size()));
    maybe_pause();
    Pending gather = comm().start(AllGather{.out = all.reshape({size() * n}), .in = x});
    maybe_pause();
    const Tensor y = make<double>({n}, [&](int64_t i) { return held(rank(), i + step); });
    if (plan.below(2))
      comm().run(AllReduce{.x = y});
    else
      comm().run(Broadcast{.x = y, .root = root});
    maybe_pause();
    gather.wait();
    const std::vector<double> got = read<double>(all);
    for (int64_t i = 0; i < size() * n; ++i) ASSERT_EQ(got[i], held(static_cast<int>(i / n), i % n + step));
    const std::vector<double> reduced = read<double>(y);
    for (int64_t i = 0; i < n; ++i)
      ASSERT_TRUE(reduced[i] == sum(i + step) || reduced[i] == held(root, i + step)) << step;
    if (plan.below(5) == 0) comm().barrier();
  }
}

FATHOM_ON_ALL_MEMORIES(NonblockingTest);

}  // namespace
}  // namespace fathom::testing
