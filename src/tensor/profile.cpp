#include "tensor/profile.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "tensor/memory.h"
#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {

// Records time stamps, two per call, and reads them later.
class Profile::Clock {
 public:
  explicit Clock(Device& device) : device_(device) {}
  ~Clock() {
#if FATHOM_WITH_CUDA
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
#endif
  }

  void mark() {
    if (device_.on_host()) {
      marks_.push_back(std::chrono::steady_clock::now());
      return;
    }
#if FATHOM_WITH_CUDA
    cudaEvent_t event = nullptr;
    cuda_check(cudaEventCreate(&event), "creating an event");
    cuda_check(cudaEventRecord(event, device_.cuda_context().stream()), "recording an event");
    events_.push_back(event);
#endif
  }

  // Seconds from the first mark to mark i.
  double seconds(size_t i) const {
    if (device_.on_host()) return std::chrono::duration<double>(marks_[i] - marks_[0]).count();
    float milliseconds = 0;
#if FATHOM_WITH_CUDA
    cuda_check(cudaEventElapsedTime(&milliseconds, events_[0], events_[i]), "reading an event");
#endif
    return milliseconds * 1e-3;
  }

 private:
  Device& device_;
  std::vector<std::chrono::steady_clock::time_point> marks_;
#if FATHOM_WITH_CUDA
  std::vector<cudaEvent_t> events_;
#endif
};

Profile::Profile(Device& device) : device_(device), clock_(std::make_unique<Clock>(device)) {
  device.attach(this);
}

Profile::~Profile() {
  stop();
}

void Profile::stop() {
  if (device_.profile() == this) device_.attach(nullptr);
}

void Profile::begin(const char* op) {
  calls_.push_back({op, 0, 0, 0, 0});
  clock_->mark();
}

void Profile::end(double bytes, double operations) {
  clock_->mark();
  calls_.back().bytes = bytes;
  calls_.back().operations = operations;
}

const std::vector<Profile::Call>& Profile::calls() {
  stop();
  if (!open_) return calls_;
  open_ = false;
  synchronize(device_);
  for (size_t i = 0; i < calls_.size(); ++i) {
    calls_[i].begin = clock_->seconds(2 * i);
    calls_[i].seconds = clock_->seconds(2 * i + 1) - calls_[i].begin;
  }
  return calls_;
}

std::vector<Profile::Row> Profile::rows() {
  std::map<std::string, Row> by_op;
  for (const Call& call : calls()) {
    Row& row = by_op[call.op];
    row.op = call.op;
    ++row.calls;
    row.seconds += call.seconds, row.bytes += call.bytes, row.operations += call.operations;
  }
  std::vector<Row> rows;
  for (auto& [op, row] : by_op) rows.push_back(std::move(row));
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
  return rows;
}

}  // namespace fathom
