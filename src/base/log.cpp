#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <unordered_set>

namespace fathom::log {
namespace {

// spdlog's own default writes to standard output. Done before main(), so that a test can put another in
// place.
const bool on_standard_error = [] {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("", sink));
  return true;
}();

}  // namespace

void write_info(const std::string& line) {
  spdlog::info(line);
}
void write_warning(const std::string& line) {
  spdlog::warn(line);
}

void silence() {
  spdlog::set_level(spdlog::level::off);
}

void warn_once(const std::string& text) {
  static std::mutex mutex;
  static std::unordered_set<std::string> printed;
  const std::lock_guard lock(mutex);
  if (printed.insert(text).second) write_warning(text);
}

}  // namespace fathom::log
