#include "base/threads.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
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

TEST(Threads, AnExceptionLeavesAParallelRegionOnce) {
  const auto message_of = [](const auto& run) {
    try {
      run();
    } catch (const std::runtime_error& e) {
      return std::string(e.what());
    }
    return std::string("nothing was thrown");
  };
  for (int threads : {1, 2, 4}) {
    EXPECT_EQ(message_of([&] {
                parallel_ranges(threads, 100, 1,
                                [](int, int64_t, int64_t) { throw std::runtime_error("range"); });
              }),
              "range");
    EXPECT_EQ(message_of([&] {
                parallel_tasks(threads, 100, [](int, int64_t i) {
                  if (i == 57) throw std::runtime_error("task 57");
                });
              }),
              "task 57");
  }
  std::vector<int> hits(100, 0);  // and the next region works
  parallel_tasks(4, 100, [&](int, int64_t i) { ++hits[i]; });
  EXPECT_EQ(hits, std::vector<int>(100, 1));
}

}  // namespace
}  // namespace fathom
