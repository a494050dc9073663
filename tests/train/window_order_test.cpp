// Orders that change in the middle of a run: what was read stays read, the rest of an epoch and all later
// ones come otherwise.
#include "train/window_order.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

constexpr int64_t windows = 23, epochs = 4;

std::vector<int64_t> read(const WindowOrder& order, int64_t from, int64_t to) {
  std::vector<int64_t> begins;
  for (int64_t i = from; i < to; ++i) begins.push_back(order(i));
  return begins;
}
std::vector<int64_t> sorted(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

void expect_each_once_an_epoch(const WindowOrder& order) {
  std::vector<int64_t> all;
  for (int64_t w = 0; w < windows; ++w) all.push_back(8 * w);
  for (int64_t e = 0; e < epochs; ++e)
    EXPECT_EQ(sorted(read(order, e * windows, (e + 1) * windows)), all) << "epoch " << e;
}

TEST(WindowOrder, GoesOnInAnotherOrder) {
  const WindowOrder first(windows, 8, 5);
  for (const int64_t at : {0, 9, 22, 23, 40}) {
    WindowOrder second = first;
    second.reorder({at});
    WindowOrder third = second;
    third.reorder({at});
    for (const WindowOrder* later : {&second, &third}) {
      EXPECT_EQ(read(*later, 0, at), read(first, 0, at));
      expect_each_once_an_epoch(*later);
    }
    const int64_t end = epochs * windows, next = (at / windows + 1) * windows;
    for (const int64_t from : {at, next}) {
      EXPECT_NE(read(second, from, end), read(first, from, end)) << at;
      EXPECT_NE(read(third, from, end), read(first, from, end)) << at;
      EXPECT_NE(read(third, from, end), read(second, from, end)) << at;
    }
  }
}

TEST(WindowOrder, ChangesAgainLaterOn) {
  WindowOrder order(windows, 8, 5);
  order.reorder({4});
  const WindowOrder before = order;
  order.reorder({30});
  EXPECT_EQ(read(order, 0, 30), read(before, 0, 30));
  EXPECT_NE(read(order, 30, 46), read(before, 30, 46));
  expect_each_once_an_epoch(order);
}

TEST(WindowOrder, OfSourcesChangesWithinEach) {
  const std::vector<WindowSource> sources = {{0, 12}, {1000, 7}, {2000, 0}};
  const WindowOrder first(sources, mixture_start({2, 1, 0}), 8, 5);
  WindowOrder second = first;
  constexpr int64_t at = 15, end = 72;
  second.reorder(first.taken(at));
  EXPECT_EQ(read(second, 0, at), read(first, 0, at));
  std::vector<std::vector<int64_t>> before(2), after(2);
  for (int64_t i = 0; i < end; ++i) {
    const size_t source = first(i) >= 1000 ? 1 : 0;
    EXPECT_EQ(second(i) >= 1000, source == 1) << "the sources take turns as before";
    before[source].push_back(first(i)), after[source].push_back(second(i));
  }
  for (size_t s = 0; s < 2; ++s) {
    EXPECT_NE(before[s], after[s]);
    const auto n = static_cast<size_t>(sources[s].windows);
    for (size_t e = 0; (e + 1) * n <= after[s].size(); ++e)
      EXPECT_EQ(std::set(after[s].begin() + static_cast<int64_t>(e * n),
                         after[s].begin() + static_cast<int64_t>((e + 1) * n))
                    .size(),
                n)
          << "epoch " << e << " of source " << s;
  }
  EXPECT_THAT(error_of([&] { second.reorder({3}); }),
              HasSubstr("a roll-back with 1 sources in a run with 3"));
}

}  // namespace
}  // namespace fathom
