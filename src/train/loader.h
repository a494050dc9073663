// Training batches from windows, which are read in a WindowOrder. Beside it the loader's whole state is one
// number, the count of windows read.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "train/share.h"
#include "train/step_source.h"
#include "train/window_order.h"
#include "train/windows.h"

namespace fathom {

// A tenth of all windows are exempt from token dropping (paper section 2.2.4). Whether this one is, number
// `window` of those that the run reads, is drawn from the seed.
bool exempt_from_dropping(uint64_t seed, int64_t window);

// How a run divides windows into steps, and steps into micro-batches.
struct StepSizes {
  // Windows of the step that follows the first `windows_read` windows.
  std::function<int64_t(int64_t windows_read)> windows;
  int64_t micro_batch = 1;  // windows of a micro-batch; a step's last one may have fewer
  // Micro-batch i is worked on by replica i modulo their number; there may be fewer than replicas.
  Share replica = {};
};

// Prepares the next step in a thread of its own while the last one is used.
class Loader : public StepSource {
 public:
  // Reads windows, which must outlive the loader, beginning after `windows_read` of them. The seed is that of
  // exempt_from_dropping().
  Loader(const Windows& windows, WindowOrder order, StepSizes sizes, uint64_t seed, int64_t windows_read);
  ~Loader() override;
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Error as Windows::pack.
  const PackedStep& next() override;
  int64_t windows_read() const override { return windows_read_; }

 private:
  void work();
  // Returns the windows of the step.
  int64_t prepare(int64_t first, PackedStep& out) const;
  // The micro-batch of n windows from number `first` on.
  void pack(int64_t first, int64_t n, PackedBatch& out) const;

  const Windows& windows_;
  const WindowOrder order_;
  const StepSizes sizes_;
  const uint64_t seed_;
  int64_t windows_read_;

  std::mutex mutex_;
  std::condition_variable changed_;
  PackedStep ready_, current_;
  int64_t ready_windows_ = 0;
  bool full_ = false, stop_ = false;  // full_: `ready_` holds the step that comes next
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace fathom
