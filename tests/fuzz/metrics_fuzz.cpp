// Any bytes as each log of a run: read, or refused with an Error. A line of metrics has the values that the
// JSON parser finds, in whatever notation; and what was read makes a page's data that stays data.
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "report/metrics_line.h"
#include "report/page_data.h"

namespace {

using namespace fathom;

void must(bool holds) {
  if (!holds) std::abort();
}

void compare_with_json(std::string_view text) {
  MetricsLine line;
  try {
    line.parse(text, "fuzz", 1);
  } catch (const Error&) {
    return;
  }
  const Json json = parse_json(text, "fuzz");  // no Error: the quick reader takes nothing that is not JSON
  must(json.size() == line.names().size() + 1);
  must(json["step"].get<double>() == static_cast<double>(line.step()));
  for (size_t i = 0; i < line.names().size(); ++i) {
    const Json& value = json.at(line.names()[i]);
    must(value.is_null() ? std::isnan(line.values()[i]) : value.get<double>() == line.values()[i]);
  }
}

// What `read` makes of the file, if it is no Error.
template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  compare_with_json(text);
  const int file = ::memfd_create("metrics", 0);
  must(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size));
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  RunFolder run;
  run.path = std::string(text);
  attempt([&] { run.metrics = read_metrics(path, 7); });
  attempt([&] { run.load = read_load(path, 3, 1000); });
  attempt([&] { run.samples = read_samples(path, {.samples = 3, .text = 10}); });
  attempt([&] { run.rollouts = read_rollouts(path, {.groups = 2, .answers = 2, .text = 10, .parts = 2}); });
  ::close(file);
  const std::string page = page_data(std::span(&run, 1));
  must(page.find('<') == std::string::npos && Json::accept(page));
  return 0;
}
