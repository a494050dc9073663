#include "align/rewards/length_reward.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace fathom {
namespace {

using Curve = std::function<double(double tokens)>;

class LengthReward : public Reward {
 public:
  explicit LengthReward(Curve curve) : curve_(std::move(curve)) {}

  std::vector<Score> score(std::span<const RewardInput> answers) override {
    std::vector<Score> scores;
    for (const RewardInput& answer : answers)
      scores.push_back({answer.id, curve_(static_cast<double>(answer.tokens)), ""});
    return scores;
  }

 private:
  Curve curve_;
};

Curve overlong(RewardParameters& parameters) {
  const double from = static_cast<double>(parameters.required<int64_t>("from"));
  const double to = static_cast<double>(parameters.required<int64_t>("to"));
  if (from < 0) parameters.fail_at("from", "must be at least 0");
  if (to <= from) parameters.fail_at("to", "must be above 'from'");
  return [=](double tokens) { return -std::clamp((tokens - from) / (to - from), 0.0, 1.0); };
}

Curve around_target(RewardParameters& parameters) {
  const double target = static_cast<double>(parameters.number<int64_t>("target", 0, {.low = 1}));
  const double width = static_cast<double>(parameters.required<int64_t>("width"));
  if (width < 1) parameters.fail_at("width", "must be at least 1");
  return [=](double tokens) { return std::max(0.0, 1 - std::abs(tokens - target) / width); };
}

}  // namespace

std::unique_ptr<Reward> length_reward(const RewardDeclaration& declaration) {
  RewardParameters parameters(declaration);
  Curve curve = parameters.has("target") ? around_target(parameters) : overlong(parameters);
  parameters.finish();
  return std::make_unique<LengthReward>(std::move(curve));
}

}  // namespace fathom
