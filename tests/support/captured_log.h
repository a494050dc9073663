// What is logged while it lives, as text; the log's usual lines are not printed meanwhile.
#pragma once
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>

namespace fathom::testing {

class CapturedLog {
 public:
  CapturedLog() : usual_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_, true);
    auto logger = std::make_shared<spdlog::logger>("captured", sink);
    logger->set_pattern("%v");
    spdlog::set_default_logger(logger);
  }
  ~CapturedLog() { spdlog::set_default_logger(usual_); }
  CapturedLog(const CapturedLog&) = delete;

  // One line each.
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> usual_;
};

}  // namespace fathom::testing
