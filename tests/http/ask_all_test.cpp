#include "http/ask_all.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

TEST(AskAll, EveryResultOnceAndNoMoreAtATimeThanAllowed) {
  std::atomic<bool> stop = false;
  std::atomic<int> working = 0, most = 0;
  std::set<size_t> taken;
  const auto caller = std::this_thread::get_id();
  ask_all(
      40, 5, stop,
      [&](size_t i) {
        const int now = ++working;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(i % 3));
        --working;
        return 2 * i;
      },
      [&](size_t i, size_t&& result) {
        EXPECT_EQ(result, 2 * i);
        EXPECT_TRUE(taken.insert(i).second);
        EXPECT_EQ(std::this_thread::get_id(), caller);
      },
      [] {});
  EXPECT_EQ(taken.size(), 40u);
  EXPECT_LE(most, 5);
  EXPECT_FALSE(stop);
  ask_all(
      0, 5, stop, [](size_t i) { return i; }, [](size_t, size_t&&) { FAIL(); }, [] {});
}

TEST(AskAll, TheFirstExceptionEndsIt) {
  for (const int place : {0, 1, 2}) {
    std::atomic<bool> stop = false;
    std::atomic<int> begun = 0;
    const auto run = [&] {
      ask_all(
          1000, 3, stop,
          [&](size_t i) {
            ++begun;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            check(place != 0 || i != 5, "in work");
            return i;
          },
          [&](size_t, size_t&&) { check(place != 1 || begun < 5, "in take"); },
          [&] { check(place != 2 || begun < 5, "in idle"); });
    };
    EXPECT_EQ(error_of(run), place == 0 ? "in work" : place == 1 ? "in take" : "in idle");
    EXPECT_TRUE(stop);
    EXPECT_LT(begun, 500);
  }
}

}  // namespace
}  // namespace fathom
