#include "report/series.h"

#include <algorithm>

namespace fathom {
namespace {

constexpr size_t not_finite_kept = 64;

}  // namespace

Buckets Buckets::of(int64_t first, int64_t last, int64_t most) {
  return {first, last, (last - first) / most + 1};
}

void Series::add(int64_t step, double value) {
  if (step != pending_step_) put_pending();
  pending_step_ = step, pending_ = value;
}

void Series::put_pending() {
  if (pending_step_ < 0) return;
  if (std::isfinite(pending_)) {
    const auto index = static_cast<size_t>(buckets_.index(pending_step_));
    if (index >= all_.size()) all_.resize(index + 1);
    Bucket& bucket = all_[index];
    const bool first = bucket.step < 0;
    bucket.low = first ? pending_ : std::min(bucket.low, pending_);
    bucket.high = first ? pending_ : std::max(bucket.high, pending_);
    bucket.last = pending_, bucket.step = pending_step_;
  } else {
    ++not_finite_count_;
    if (not_finite_.size() < not_finite_kept) not_finite_.push_back(pending_step_);
  }
  pending_step_ = -1;
}

std::vector<Series::Bucket> Series::filled() const {
  std::vector<Bucket> filled;
  std::copy_if(all_.begin(), all_.end(), std::back_inserter(filled),
               [](const Bucket& bucket) { return bucket.step >= 0; });
  return filled;
}

}  // namespace fathom
