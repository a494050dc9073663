// Messages between two ranks.
#include "comm/ranks.h"

namespace fathom::testing {
namespace {

class MessagesTest : public Ranks {};

TEST_P(MessagesTest, GoAroundARing) {
  if (size() == 1) GTEST_SKIP() << "needs another rank: ctest --preset cpu -R comm runs it under mpirun";
  const int next = (rank() + 1) % size(), before = (rank() + size() - 1) % size();
  for (const int64_t n : {0, 1, 50}) {
    const Tensor out = make<float>({n, 3}, [&](int64_t i) { return held(rank(), i); });
    const Tensor in = filled<float>({n, 5}, -9);
    const Send send{.x = out, .to = next, .tag = 3};
    const Receive receive{.x = in.columns(1, 3), .from = before, .tag = 3};
    comm().run(Exchange{.sends = {&send, 1}, .receives = {&receive, 1}});
    EXPECT_EQ(read<float>(in), expected(5 * n, [&](int64_t i) {
                const int64_t c = i % 5;
                return c >= 1 && c < 4 ? held(before, i / 5 * 3 + c - 1) : -9;
              }));
  }
}

TEST_P(MessagesTest, PassThroughAPipeline) {
  const Tensor x = make<double>({7}, [&](int64_t i) { return rank() == 0 ? static_cast<double>(i) : 0; });
  if (rank() > 0) comm().run(Receive{.x = x, .from = rank() - 1});
  EXPECT_EQ(read<double>(x), expected(7, [](int64_t i) { return static_cast<double>(i); }));
  if (rank() + 1 < size()) comm().run(Send{.x = x, .to = rank() + 1});
}

// Micro-batches are received in another order than they were sent.
TEST_P(MessagesTest, AreFoundByTheirTags) {
  if (!on_host()) GTEST_SKIP() << "NCCL has no tags: ctest --preset cpu -R comm runs it in host memory";
  constexpr int batches = 4;
  std::vector<Pending> pending;
  std::vector<Tensor> received;
  for (int b = 0; b < batches && rank() == 0 && size() > 1; ++b)
    pending.push_back(comm().start(Send{.x = filled<float>({20}, b), .to = size() - 1, .tag = b}));
  for (int b = batches - 1; b >= 0 && rank() > 0 && rank() == size() - 1; --b) {
    const Tensor x = filled<float>({20}, -1);
    comm().run(Receive{.x = x, .from = 0, .tag = b});
    EXPECT_EQ(read<float>(x), expected(20, [&](int64_t) { return b; }));
  }
  for (Pending& p : pending) p.wait();
}

TEST_P(MessagesTest, OfNoneAreAllowed) {
  comm().run(Exchange{});
}

FATHOM_ON_ALL_MEMORIES(MessagesTest);

}  // namespace
}  // namespace fathom::testing
