#include "report/log_order.h"

#include <algorithm>

namespace fathom {

void LogOrder::add(int64_t step) {
  if (stretches_.empty() || step < last_)
    stretches_.push_back({lines_, step, std::numeric_limits<int64_t>::max()});
  last_ = step;
  ++lines_;
}

void LogOrder::finish() {
  int64_t limit = std::numeric_limits<int64_t>::max();
  for (auto stretch = stretches_.rbegin(); stretch != stretches_.rend(); ++stretch) {
    stretch->limit = limit;
    limit = std::min(limit, stretch->step);
  }
  first_ = stretches_.empty() ? 0 : limit;
}

bool LogOrder::counts(int64_t line, int64_t step) {
  while (current_ + 1 < stretches_.size() && stretches_[current_ + 1].line <= line) ++current_;
  return current_ < stretches_.size() && step < stretches_[current_].limit;
}

}  // namespace fathom
