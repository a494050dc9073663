// Many slow requests, some at a time on threads of their own, and their results on one thread.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/threads.h"

namespace fathom {

// work(i) for i in 0..count-1 on up to `parallel` threads, in that order of their beginnings; take(i, result)
// on the calling thread, in the order of their ends, and idle() there between them, at least ten times a
// second. When one of them throws, `stop` is set, no more work begins, and the first exception is thrown
// again.
template <class Work, class Take, class Idle>
void ask_all(size_t count, int64_t parallel, std::atomic<bool>& stop, const Work& work, const Take& take,
             const Idle& idle) {
  using Result = decltype(work(size_t{0}));
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::pair<size_t, Result>> ended;
  std::atomic<size_t> next = 0;
  size_t working = std::min(count, static_cast<size_t>(parallel));
  FirstException first;
  const auto run = [&] {
    first.guard([&] {
      for (size_t i; !stop && (i = next++) < count;) {
        Result result = work(i);
        const std::lock_guard lock(mutex);
        ended.emplace_back(i, std::move(result));
        changed.notify_one();
      }
    });
    const std::lock_guard lock(mutex);
    --working;
    changed.notify_one();
  };
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0, n = working; i < n; ++i) threads.emplace_back(run);
    std::unique_lock lock(mutex);
    while (working > 0 || !ended.empty()) {
      changed.wait_for(lock, std::chrono::milliseconds(100), [&] { return working == 0 || !ended.empty(); });
      std::deque<std::pair<size_t, Result>> taken = std::exchange(ended, {});
      lock.unlock();
      bool went_well = false;
      first.guard([&] {
        for (auto& [i, result] : taken) take(i, std::move(result));
        idle();
        went_well = true;
      });
      if (!went_well) stop = true;
      lock.lock();
    }
  }
  first.rethrow();
}

}  // namespace fathom
