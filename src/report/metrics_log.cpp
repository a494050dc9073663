#include "report/metrics_log.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "io/lines.h"
#include "report/log_order.h"
#include "report/metrics_line.h"

namespace fathom {
namespace {

constexpr size_t most_names = 1000;  // so that memory stays bounded for any file

LogOrder order_of(const std::string& path) {
  LogOrder order;
  LineReader reader(path);
  for (std::string line; reader.next(line) && reader.whole();)
    order.add(step_of_line(line, [&] { return fmt::format("{}:{}", path, reader.line_number()); }));
  order.finish();
  return order;
}

// The series that the values of one line belong to.
class Columns {
 public:
  Columns(MetricsLog& log, const Buckets& buckets, const std::string& path)
      : log_(log), buckets_(buckets), path_(path) {}

  void add(const MetricsLine& line) {
    if (line.new_names()) find(line);
    for (size_t i = 0; i < columns_.size(); ++i) {
      const double value = line.values()[i];
      columns_[i]->add(line.step(), i == time_ ? since_start(value) : value);
    }
  }

 private:
  void find(const MetricsLine& line) {
    columns_.clear(), time_ = line.names().size();
    for (const std::string& name : line.names()) {
      if (name == "time") time_ = columns_.size();
      columns_.push_back(&log_.series.try_emplace(name, buckets_).first->second);
      check(log_.series.size() <= most_names, "{}: more than {} names of values", path_, most_names);
    }
  }
  double since_start(double time) {
    if (!started_ && std::isfinite(time)) started_ = true, log_.start_time = time;
    return time - log_.start_time;
  }

  MetricsLog& log_;
  const Buckets buckets_;
  const std::string& path_;
  std::vector<Series*> columns_;
  size_t time_ = 0;  // of columns_
  bool started_ = false;
};

}  // namespace

MetricsLog read_metrics(const std::string& path, int64_t buckets) {
  LogOrder order = order_of(path);
  check(order.lines() > 0, "{}: no whole line: the run has not finished a step", path);
  MetricsLog log;
  log.last_step = order.last_step();
  Columns columns(log, Buckets::of(order.first_step(), order.last_step(), buckets), path);
  LineReader reader(path);
  MetricsLine line;
  // A run that goes on may have written more since, or have replaced the file: no more than was seen.
  for (std::string text; reader.line_number() < order.lines() && reader.next(text) && reader.whole();) {
    line.parse(text, path, reader.line_number());
    const bool in_range = line.step() >= order.first_step() && line.step() <= order.last_step();
    if (!in_range || !order.counts(reader.line_number() - 1, line.step())) continue;
    columns.add(line);
  }
  for (auto& [name, series] : log.series) series.finish();
  return log;
}

}  // namespace fathom
