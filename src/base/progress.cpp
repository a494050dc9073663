#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace fathom {
namespace {

std::string scaled(double value, const char* space) {
  static const char* const units[] = {"", "K", "M", "G", "T", "P"};
  int unit = 0;
  while (value >= 999.5 && unit < 5) value /= 1000, ++unit;
  if (unit == 0) return fmt::format("{:.0f}{}", value, space);
  return fmt::format("{:.{}f}{}{}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, space, units[unit]);
}

}  // namespace

std::string human_duration(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f}s", seconds);
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m {:02}s", s / 60, s % 60);
  return fmt::format("{}h {:02}m", s / 3600, s % 3600 / 60);
}

std::string human_bytes(double bytes) {
  return scaled(bytes, " ") + "B";
}
std::string human_count(double count) {
  return scaled(count, "");
}

Progress::Progress(std::string label, int64_t total, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(isatty(STDERR_FILENO)),
      start_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  draw(true);
}

void Progress::update(int64_t done, const std::string& detail) {
  done_ = done;
  detail_ = detail;
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - drawn_ < std::chrono::milliseconds(100)) return;
  drawn_ = now;
  draw(false);
}

void Progress::draw(bool last) const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  std::string line = label_ + " " + human_count(static_cast<double>(done_));
  if (total_ > 0) line += "/" + human_count(static_cast<double>(total_));
  line += fmt::format(" {}, {}/s", unit_, human_count(rate));
  if (last)
    line += ", " + human_duration(seconds);
  else if (total_ > done_ && rate > 0)
    line += ", ETA " + human_duration(static_cast<double>(total_ - done_) / rate);
  if (!detail_.empty()) line += ", " + detail_;
  // fputs, because fmt::print throws when standard error is closed, and this runs in a destructor.
  line = terminal_ ? "\r\033[K" + line + (last ? "\n" : "") : line + "\n";
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace fathom
