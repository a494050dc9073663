// metrics.jsonl of a run, finished or not, read as a stream into series of bounded size.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "report/series.h"

namespace fathom {

struct MetricsLog {
  int64_t last_step = 0;
  double start_time = 0;                              // seconds since 1970 of the first line
  std::map<std::string, Series, std::less<>> series;  // by name; "time" counts seconds from start_time
};

// With at most `buckets` for each series. A last line without its end belongs to a run that goes on, and is
// left out. Error naming the file, and the line where one is malformed.
MetricsLog read_metrics(const std::string& path, int64_t buckets);

}  // namespace fathom
