// Data parallelism over index ranges, on OpenMP. Kernels call these two functions and have no pragma of their
// own. An exception in a thread is thrown again by the caller, after the other threads are done: the first
// one, if there are several. Work that has not begun by then is left out.
#pragma once
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

namespace fathom {

// Threads the machine offers this process (honours OMP_NUM_THREADS and CPU affinity).
int hardware_threads();

// Keeps the first exception of the threads of a parallel region.
class FirstException {
 public:
  template <class Body>
  void guard(const Body& body) noexcept {
    if (caught_.load(std::memory_order_relaxed)) return;
    try {
      body();
    } catch (...) {
      if (!caught_.exchange(true)) exception_ = std::current_exception();
    }
  }
  // After the region.
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::atomic<bool> caught_ = false;
  std::exception_ptr exception_;
};

// Calls body(thread, begin, end) on every thread with an even, contiguous share of 0..n-1; shares start at
// multiples of `align`. The split depends only on (n, threads, align), so results are reproducible.
template <class Body>
void parallel_ranges(int threads, int64_t n, int64_t align, const Body& body) {
  if (n <= 0) return;
  const int64_t blocks = (n + align - 1) / align;
  const int team = static_cast<int>(std::min<int64_t>(threads, blocks));
  if (team <= 1) return body(0, int64_t{0}, n);
  FirstException first;
#pragma omp parallel num_threads(team)
  {
    // OpenMP may grant fewer threads than asked for (OMP_DYNAMIC, OMP_THREAD_LIMIT, nested regions); each
    // then takes several shares, so that the split stays the same and none is left out.
    for (int t = omp_get_thread_num(); t < team; t += omp_get_num_threads()) {
      const int64_t begin = blocks * t / team * align, end = std::min(n, blocks * (t + 1) / team * align);
      if (begin < end) first.guard([&] { body(t, begin, end); });
    }
  }
  first.rethrow();
}

// Calls body(thread, i) once for each i in 0..n-1, tasks handed out in order to the next free thread: for
// uneven tasks. Which thread runs which task is not fixed, so a task must write only its own data.
template <class Body>
void parallel_tasks(int threads, int64_t n, const Body& body) {
  const int team = static_cast<int>(std::min<int64_t>(threads, n));
  if (team <= 1) {
    for (int64_t i = 0; i < n; ++i) body(0, i);
    return;
  }
  FirstException first;
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
  for (int64_t i = 0; i < n; ++i) first.guard([&] { body(omp_get_thread_num(), i); });
  first.rethrow();
}

}  // namespace fathom
