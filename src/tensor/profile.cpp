#include "tensor/profile.h"

#include <algorithm>
#include <map>

#include "tensor/memory.h"

namespace fathom {

Profile::Profile(Device& device) : device_(device), clock_(device) {
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
  clock_.mark();
}

void Profile::end(double bytes, double operations) {
  clock_.mark();
  calls_.back().bytes = bytes;
  calls_.back().operations = operations;
}

const std::vector<Profile::Call>& Profile::calls() {
  stop();
  if (!open_) return calls_;
  open_ = false;
  synchronize(device_);
  for (size_t i = 0; i < calls_.size(); ++i) {
    calls_[i].begin = clock_.seconds(2 * i);
    calls_[i].seconds = clock_.seconds(2 * i + 1) - calls_[i].begin;
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
