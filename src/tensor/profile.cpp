#include "tensor/profile.h"

#include <algorithm>
#include <map>
#include <utility>

#include "tensor/memory.h"

namespace fathom {

Profile::Profile(Device& device) : device_(device), clock_(device) {
  device_.attach(this);
  restart();
}

Profile::~Profile() {
  stop();
}

// Behind the mark the host waits for it, so that both clocks name one moment.
void Profile::restart() {
  calls_.clear(), parts_.clear(), waits_.clear(), transfers_.clear();
  call_spans_.clear(), part_spans_.clear(), wait_spans_.clear(), transfer_spans_.clear();
  synchronize(device_);
  begin_ = clock_.mark();
  synchronize(device_);
  host_begin_ = HostTime::clock::now();
}

void Profile::stop() {
  if (device_.profile() != this) return;
  end_ = clock_.mark();
  device_.attach(nullptr);
}

void Profile::begin(const char* op) {
  calls_.push_back({op, 0, 0, 0, 0});
  const size_t now = clock_.mark();
  call_spans_.push_back({now, now});
}

void Profile::end(double bytes, double operations) {
  call_spans_.back().end = clock_.mark();
  calls_.back().bytes = bytes;
  calls_.back().operations = operations;
}

void Profile::add_part(std::string name, size_t begin, size_t end) {
  parts_.push_back({std::move(name), 0, 0});
  part_spans_.push_back({begin, end});
}

void Profile::add_wait(const char* collective, size_t begin, size_t end) {
  waits_.push_back({collective, 0, 0});
  wait_spans_.push_back({begin, end});
}

void Profile::add_transfer(const char* collective, double bytes, const Span& span) {
  transfers_.push_back({collective, 0, 0, bytes});
  transfer_spans_.push_back(span);
}

double Profile::seconds_at(const Moment& moment) const {
  if (const size_t* mark = std::get_if<size_t>(&moment)) return clock_.seconds(begin_, *mark);
  return std::chrono::duration<double>(std::get<HostTime>(moment) - host_begin_).count();
}

void Profile::read() {
  stop();
  if (!open_) return;
  open_ = false;
  synchronize(device_);
  seconds_ = seconds_at(end_);
  const auto read_times = [this](auto& entries, const std::vector<Span>& spans) {
    for (size_t i = 0; i < entries.size(); ++i) {
      entries[i].begin = seconds_at(spans[i].begin);
      entries[i].seconds = seconds_at(spans[i].end) - entries[i].begin;
    }
  };
  read_times(calls_, call_spans_), read_times(parts_, part_spans_);
  read_times(waits_, wait_spans_), read_times(transfers_, transfer_spans_);
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

ProfilePart::~ProfilePart() {
  if (!profile_) return;
  const std::string number = number_ < 0 ? "" : " " + std::to_string(number_);
  profile_->add_part(name_ + number, begin_, profile_->mark());
}

}  // namespace fathom
