#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fathom {

double run_progress(const Recipe& recipe, const Position& p) {
  const Recipe::Schedule& s = recipe.schedule;
  if (recipe.run.epochs > 0) return p.epochs / recipe.run.epochs;
  return s.tokens > 0 ? static_cast<double>(p.tokens) / static_cast<double>(s.tokens)
                      : static_cast<double>(p.step) / static_cast<double>(s.steps);
}

double learning_rate(const Recipe& recipe, const Position& p) {
  const Recipe::Schedule& s = recipe.schedule;
  const double lr = recipe.optimizer.lr;
  if (p.step < s.warmup_steps)
    return lr * static_cast<double>(p.step + 1) / static_cast<double>(s.warmup_steps);
  const double done = run_progress(recipe, p);
  switch (s.decay) {
    case Decay::constant:
      return lr;
    case Decay::step: {
      const auto passed =
          std::count_if(s.decay_at.begin(), s.decay_at.end(), [&](double at) { return done >= at; });
      return lr * std::pow(s.decay_factor, static_cast<double>(passed));
    }
    case Decay::cosine: {
      const double start =
          s.steps > s.warmup_steps ? static_cast<double>(s.warmup_steps) / static_cast<double>(s.steps) : 0;
      const double x = std::clamp((done - start) / (1 - start), 0.0, 1.0);
      return lr * (s.final_factor + (1 - s.final_factor) * 0.5 * (1 + std::cos(std::numbers::pi * x)));
    }
  }
  return lr;
}

int64_t batch_sequences(const Recipe::Batch& b, int64_t tokens) {
  if (tokens >= b.ramp_tokens) return b.sequences;
  const double part = static_cast<double>(tokens) / static_cast<double>(b.ramp_tokens);
  const double wanted =
      static_cast<double>(b.ramp_from) + part * static_cast<double>(b.sequences - b.ramp_from);
  return static_cast<int64_t>(wanted);
}

}  // namespace fathom
