#include "base/threads.h"

#include <gtest/gtest.h>

#include <vector>

namespace fathom {
namespace {

TEST(Threads, RangesCoverEveryIndexOnceAndKeepAlignment) {
  for (int threads : {1, 2, 3, 8})
    for (int64_t n : {0, 1, 7, 64, 1000})
      for (int64_t align : {1, 16}) {
        std::vector<int> hits(n, 0);
        parallel_ranges(threads, n, align, [&](int, int64_t begin, int64_t end) {
          EXPECT_EQ(begin % align, 0);
          for (int64_t i = begin; i < end; ++i) ++hits[i];
        });
        EXPECT_EQ(hits, std::vector<int>(n, 1));
      }
}

TEST(Threads, RangesCoverAllWhenOpenMpGrantsFewerThreads) {
  std::vector<int> hits(1000, 0);
#pragma omp parallel num_threads(2)
#pragma omp single
  parallel_ranges(4, 1000, 1, [&](int, int64_t begin, int64_t end) {  // nested: one thread for four shares
    for (int64_t i = begin; i < end; ++i) ++hits[i];
  });
  EXPECT_EQ(hits, std::vector<int>(1000, 1));
}

TEST(Threads, TasksRunOnceEach) {
  std::vector<int> hits(100, 0);
  parallel_tasks(4, 100, [&](int thread, int64_t i) {
    EXPECT_LT(thread, 4);
    ++hits[i];
  });
  EXPECT_EQ(hits, std::vector<int>(100, 1));
}

}  // namespace
}  // namespace fathom
