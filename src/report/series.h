// A value of a run over its steps, in a bounded number of buckets: of each the lowest, the highest and the
// last value, so that a picture of it shows every spike.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace fathom {

// Equal buckets of steps.
struct Buckets {
  int64_t first = 0, last = 0;  // steps
  int64_t width = 1;            // of a bucket, in steps

  static Buckets of(int64_t first, int64_t last, int64_t most);
  int64_t count() const { return (last - first) / width + 1; }
  int64_t index(int64_t step) const { return (step - first) / width; }
};

class Series {
 public:
  struct Bucket {
    int64_t step = -1;  // of the last value; -1: no value
    double low = 0, high = 0, last = 0;
  };

  explicit Series(const Buckets& buckets) : buckets_(buckets) {}

  // Steps come in order; of two values of one step the later counts. NaN stands for a value that was not
  // finite.
  void add(int64_t step, double value);
  void finish() { put_pending(); }

  // Those that have a value, in order.
  std::vector<Bucket> filled() const;
  // Steps whose value was not finite: how many, and the first of them.
  int64_t not_finite_count() const { return not_finite_count_; }
  const std::vector<int64_t>& not_finite() const { return not_finite_; }

 private:
  void put_pending();

  Buckets buckets_;
  std::vector<Bucket> all_;  // up to the last that has a value
  int64_t pending_step_ = -1;
  double pending_ = 0;
  int64_t not_finite_count_ = 0;
  std::vector<int64_t> not_finite_;
};

}  // namespace fathom
