#include <algorithm>

#include "base/error.h"
#include "comm/ranks.h"

namespace fathom::testing {
namespace {

class SplitTest : public Ranks {};

TEST_P(SplitTest, IntoGroupsOfEveryOtherRank) {
  Communicator group = comm().split(rank() % 2);
  EXPECT_EQ(group.rank(), rank() / 2);
  EXPECT_EQ(group.size(), (size() + 1 - rank() % 2) / 2);
  const Tensor x = filled<int32_t>({1}, rank());
  group.run(AllReduce{.x = x});
  EXPECT_EQ(read<int32_t>(x), expected(1, [&](int64_t) {
              int total = 0;
              for (int r = rank() % 2; r < size(); r += 2) total += r;
              return total;
            }));
}

TEST_P(SplitTest, InTheOrderOfTheirKeys) {
  Communicator reversed = comm().split(0, -rank());
  EXPECT_EQ(reversed.rank(), size() - 1 - rank());
  const Tensor x = filled<int32_t>({1}, rank());
  reversed.run(Broadcast{.x = x, .root = 0});
  EXPECT_EQ(read<int32_t>(x), expected(1, [&](int64_t) { return size() - 1; }));
  EXPECT_EQ(reversed.host().rank(), reversed.rank());
}

// Groups of a plan: rows and columns of a grid, and operations of several groups under way at once.
TEST_P(SplitTest, WorkTogether) {
  Communicator row = comm().split(rank() / 2), column = comm().split(rank() % 2),
               alone = comm().split(rank());
  EXPECT_EQ(alone.size(), 1);
  const Tensor in_row = filled<float>({30}, 1), in_column = filled<float>({30}, 1),
               in_all = filled<float>({30}, 1);
  std::vector<Pending> pending;
  pending.push_back(comm().start(AllReduce{.x = in_all}));
  pending.push_back(row.start(AllReduce{.x = in_row}));
  pending.push_back(column.start(AllReduce{.x = in_column}));
  if (rank() % 2 && on_host()) std::reverse(pending.begin(), pending.end());
  for (Pending& p : pending) p.wait();
  EXPECT_EQ(read<float>(in_all), expected(30, [&](int64_t) { return size(); }));
  EXPECT_EQ(read<float>(in_row), expected(30, [&](int64_t) { return row.size(); }));
  EXPECT_EQ(read<float>(in_column), expected(30, [&](int64_t) { return column.size(); }));
}

TEST_P(SplitTest, ColorsAreNotNegative) {
  EXPECT_THROW((void)comm().split(-1), Error);
}

FATHOM_ON_ALL_MEMORIES(SplitTest);

}  // namespace
}  // namespace fathom::testing
