#include "align/rewards/format_reward.h"

#include <algorithm>

#include "base/error.h"
#include "text/regex.h"
#include "text/utf8.h"

namespace fathom {
namespace {

constexpr std::string_view blanks = " \t\r\n\f\v";

class PatternReward : public Reward {
 public:
  PatternReward(const std::string& pattern, const std::string& name)
      : whole_("\\A(?:" + pattern + ")\\z", name), scratch_(most_steps) {}

  std::vector<Score> score(std::span<const RewardInput> answers) override {
    std::vector<Score> scores;
    for (const RewardInput& answer : answers) scores.push_back(score_one(answer));
    return scores;
  }

 private:
  static constexpr uint32_t most_steps = 1'000'000;  // about a tenth of a second

  Score score_one(const RewardInput& answer) {
    if (valid_utf8_prefix(answer.text) != answer.text.size()) return {answer.id, 0.0, "not valid UTF-8"};
    try {
      return {answer.id, whole_.find(answer.text, 0, scratch_) ? 1.0 : 0.0, ""};
    } catch (const Error&) {
      return unscored(answer.id, "the pattern needs too many steps on this text");
    }
  }

  Regex whole_;
  RegexScratch scratch_;
};

class PartsReward : public Reward {
 public:
  PartsReward(std::vector<std::string> parts, bool opened) : parts_(std::move(parts)), opened_(opened) {}

  std::vector<Score> score(std::span<const RewardInput> answers) override {
    std::vector<Score> scores;
    for (const RewardInput& answer : answers)
      scores.push_back({answer.id, fits(answer.text) ? 1.0 : 0.0, ""});
    return scores;
  }

 private:
  bool fits(std::string_view text) const {
    for (size_t i = 0; i < parts_.size(); ++i) {
      const std::string open = "<" + parts_[i] + ">", close = "</" + parts_[i] + ">";
      if (i > 0 || !opened_) {
        text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
        if (!text.starts_with(open)) return false;
        text.remove_prefix(open.size());
      }
      const size_t end = text.find(close);
      if (end == std::string_view::npos) return false;
      const std::string_view inside = text.substr(0, end);
      if (inside.find_first_not_of(blanks) == std::string_view::npos || has_tag(inside)) return false;
      text.remove_prefix(end + close.size());
    }
    return text.find_first_not_of(blanks) == std::string_view::npos;
  }

  bool has_tag(std::string_view text) const {
    return std::any_of(parts_.begin(), parts_.end(), [&](const std::string& part) {
      return text.find("<" + part + ">") != std::string_view::npos ||
             text.find("</" + part + ">") != std::string_view::npos;
    });
  }

  std::vector<std::string> parts_;
  bool opened_;
};

std::vector<std::string> read_parts(RewardParameters& parameters) {
  std::vector<std::string> parts = parameters.required<std::vector<std::string>>("parts");
  if (parts.empty()) parameters.fail_at("parts", "must name a part");
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty() || parts[i].find_first_of("<>/") != std::string::npos)
      parameters.fail_at("parts", "has '" + parts[i] + "', which is no name of a tag");
    if (std::find(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i), parts[i]) !=
        parts.begin() + static_cast<std::ptrdiff_t>(i))
      parameters.fail_at("parts", "names '" + parts[i] + "' twice");
  }
  return parts;
}

}  // namespace

std::unique_ptr<Reward> format_reward(const RewardDeclaration& declaration) {
  RewardParameters parameters(declaration);
  std::unique_ptr<Reward> reward;
  if (parameters.has("pattern")) {
    const std::string pattern = parameters.required<std::string>("pattern");
    const Regex alone(pattern,
                      parameters.place("pattern"));  // "a)|(b" is no pattern, though it is one in (?:...)
    reward = std::make_unique<PatternReward>(pattern, parameters.place("pattern"));
  } else {
    std::vector<std::string> parts = read_parts(parameters);
    reward = std::make_unique<PartsReward>(std::move(parts), parameters.optional<bool>("opened", false));
  }
  parameters.finish();
  return reward;
}

}  // namespace fathom
