#include "base/progress.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(Progress, NumbersForPeople) {
  EXPECT_EQ(human_duration(4.24), "4.2s");
  EXPECT_EQ(human_duration(65), "1m 05s");
  EXPECT_EQ(human_duration(7380), "2h 03m");
  EXPECT_EQ(human_bytes(69120), "69.1 KB");
  EXPECT_EQ(human_bytes(12), "12 B");
  EXPECT_EQ(human_count(235741434880.0), "236G");
  EXPECT_EQ(human_count(1234), "1.23K");
}

}  // namespace
}  // namespace fathom
