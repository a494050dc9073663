#include "align/rewards/code_reward.h"

#include "base/error.h"
#include "base/threads.h"
#include "sandbox/code_block.h"
#include "sandbox/code_test.h"

namespace fathom {
namespace {

struct Settings {
  CodeLanguage language = CodeLanguage::python;
  bool whole_text = false, share = false;
  int workers = 1;
  SandboxLimits limits;
};

// The tests of a row, without the program.
CodeTest tests_of(const Json& json, const std::string& where, const Settings& settings) {
  const JsonObject row(json, where);
  CodeTest test;
  test.language = settings.language, test.limits = settings.limits;
  test.entry_point = row.optional<std::string>("entry_point", "");
  if (row.has("test_list")) {
    test.style = CodeStyle::asserts;
    test.tests = row.required<std::vector<std::string>>("test_list");
    for (const auto& line : row.optional<std::vector<std::string>>("test_imports", {})) test.given += line + "\n";
    test.given += row.optional<std::string>("test_setup_code", "");
  } else if (row.has("cases")) {
    test.style = CodeStyle::stdio;
    for (const Json& one : row.required<Json>("cases")) {
      const JsonObject c(one, where);
      test.cases.push_back({c.required<std::string>("input"), c.required<std::string>("output")});
    }
  } else {
    check(row.has("test"), "{}: has none of the fields test, test_list and cases", where);
    test.style = CodeStyle::check;
    test.tests = {row.required<std::string>("test")};
  }
  return test;
}

class CodeReward : public Reward {
 public:
  CodeReward(const Settings& settings, SandboxOptions sandbox)
      : settings_(settings), sandbox_(std::move(sandbox)) {}

  std::vector<Score> score(std::span<const RewardInput> answers) override {
    std::vector<Score> scores;
    std::vector<CodeTest> tests;
    std::vector<size_t> places;
    const std::string_view language = settings_.language == CodeLanguage::cpp ? "cpp" : "python";
    for (const RewardInput& answer : answers) {
      scores.push_back({answer.id, 0, "no program"});
      const auto block = code_block(answer.text, language, settings_.whole_text);
      if (!block) continue;
      try {
        tests.push_back(tests_of(*answer.row, fmt::format("answer {}", answer.id), settings_));
      } catch (const Error& error) {
        scores.back() = unscored(answer.id, error.what());
        continue;
      }
      tests.back().id = std::to_string(answer.id), tests.back().program = block->code;
      places.push_back(scores.size() - 1);
    }
    const std::vector<CodeVerdict> verdicts = run_code_tests(sandbox_, tests, settings_.workers);
    for (size_t i = 0; i < verdicts.size(); ++i) scores[places[i]] = score_of(scores[places[i]].id, verdicts[i]);
    return scores;
  }

 private:
  Score score_of(int64_t id, const CodeVerdict& verdict) const {
    if (!verdict.scored()) return unscored(id, verdict.text);
    double value = verdict.passed() ? 1 : 0;
    if (settings_.share && !verdict.passed() && verdict.tests_total > 0)
      value = static_cast<double>(verdict.tests_passed) / static_cast<double>(verdict.tests_total);
    return {id, value, std::string(to_string(verdict.ending))};
  }

  Settings settings_;
  Sandbox sandbox_;
};

}  // namespace

std::unique_ptr<Reward> code_reward(const RewardDeclaration& declaration) {
  RewardParameters parameters(declaration);
  Settings settings;
  const auto language = parameters.optional<std::string>("language", "python");
  if (language != "python" && language != "cpp") parameters.fail_at("language", "must be python or cpp");
  settings.language = language == "cpp" ? CodeLanguage::cpp : CodeLanguage::python;
  settings.whole_text = parameters.optional<bool>("whole_text", false);
  settings.share = parameters.optional<bool>("share", false);
  settings.workers = static_cast<int>(parameters.number<int64_t>("workers", hardware_threads(), {.low = 1, .high = 256}));
  settings.limits.wall_seconds = parameters.number<double>("seconds", 10, {.low = 0.1, .high = 3600});
  settings.limits.cpu_seconds = settings.limits.wall_seconds;
  settings.limits.memory_bytes = parameters.number<int64_t>("memory_mb", 512, {.low = 64, .high = 65536}) << 20;
  SandboxOptions sandbox;
  sandbox.allow_weak = parameters.optional<bool>("allow_weak", false);
  parameters.finish();
  return std::make_unique<CodeReward>(settings, std::move(sandbox));
}

}  // namespace fathom
