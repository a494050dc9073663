#include "sandbox/judge_report.h"

#include <set>

#include "base/error.h"
#include "io/json.h"

namespace fathom {
namespace {

constexpr int most_tests = 1'000'000;

struct Reader {
  JudgeReport report;
  std::set<int> passed, failed;
  bool has_total = false;

  void line(const JsonObject& object) {
    check(!report.done, "a line after the end");
    if (object.has("total")) {
      const int total = object.required<int>("total");
      check(!has_total && total >= 0 && total <= most_tests, "total is {}, after {}", total, report.total);
      has_total = true, report.total = total;
    } else if (object.has("passed")) {
      passed.insert(test_number(object, "passed"));
    } else if (object.has("failed")) {
      failed.insert(test_number(object, "failed"));
      fail_with(object.optional<std::string>("text", "a test failed"));
    } else if (object.has("broken")) {
      report.broken = object.required<std::string>("broken");
    } else if (object.has("lost")) {
      report.lost = true;
      fail_with(object.required<std::string>("lost"));
    } else if (object.has("error")) {
      report.program_error = passed.empty() && failed.empty();
      fail_with(object.required<std::string>("error"));
    } else {
      report.done = object.required<bool>("done");
    }
  }

  int test_number(const JsonObject& object, const char* key) const {
    const int number = object.required<int>(key);
    check(number >= 0 && number < report.total, "test {} of {}", number, report.total);
    return number;
  }

  void fail_with(const std::string& text) {
    if (report.failure.empty()) report.failure = text.empty() ? "a test failed" : text;
  }
};

}  // namespace

JudgeReport parse_judge_report(std::string_view text) {
  Reader reader;
  try {
    for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
      const Json json = parse_json(text.substr(0, end), "the judge's report");
      reader.line(JsonObject(json, "the judge's report"));
    }
  } catch (const Error& error) {
    reader.report.done = false;
    reader.fail_with(error.what());
  }
  // A test that passed once and failed once, in a loop for example, has failed.
  for (const int number : reader.failed) reader.passed.erase(number);
  reader.report.passed = static_cast<int>(reader.passed.size());
  return reader.report;
}

}  // namespace fathom
