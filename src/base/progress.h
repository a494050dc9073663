// A progress line on standard error: done/total, rate and ETA. Silent when standard error is not a terminal,
// except for one line at the end, so that logs stay readable.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace fathom {

class Progress {
 public:
  // `unit` is printed after the counts, e.g. "tokens"; total 0 means unknown.
  Progress(std::string label, int64_t total, std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Redraws at most ten times a second. `detail` is appended, e.g. a loss.
  void update(int64_t done, const std::string& detail = {});

 private:
  void draw(bool last) const;

  std::string label_, unit_, detail_;
  int64_t total_, done_ = 0;
  bool terminal_;
  std::chrono::steady_clock::time_point start_, drawn_{};
};

// "1m 05s", "2h 03m", "4.2s": durations for people.
std::string human_duration(double seconds);
// "1.23 GB" (powers of 1000) and "12.3M" for plain counts.
std::string human_bytes(double bytes);
std::string human_count(double count);

}  // namespace fathom
