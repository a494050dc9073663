#include "train/mixture_report.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/log.h"
#include "base/progress.h"

namespace fathom {
namespace {

// Windows that the whole run will read.
int64_t run_windows(const Recipe& r, int64_t epoch) {
  const int64_t T = r.data.sequence_length;
  if (r.run.epochs > 0) return static_cast<int64_t>(std::ceil(r.run.epochs * static_cast<double>(epoch)));
  if (r.schedule.tokens > 0) return (r.schedule.tokens + T - 1) / T;
  int64_t windows = 0, step = 0;
  for (; step < r.schedule.steps && windows * T < r.batch.ramp_tokens; ++step)
    windows += batch_sequences(r.batch, windows * T);
  return windows + (r.schedule.steps - step) * r.batch.sequences;
}

}  // namespace

void log_mixture(const Recipe& recipe, const Trainer& trainer) {
  constexpr double often = 4;  // more repeats teach little (Muennighoff et al. 2023)
  const WindowOrder& order = trainer.order();
  const int64_t read = trainer.state().windows_read, all = run_windows(recipe, order.windows());
  const std::vector<int64_t> now = order.taken(read), end = order.taken(std::max(read, all));
  for (size_t s = 0; s < recipe.data.weights.size(); ++s) {
    const auto windows = static_cast<double>(std::max<int64_t>(1, order.sources()[s].windows));
    const double epochs = static_cast<double>(end[s]) / windows;
    const std::string text =
        fmt::format("{}: weight {:g}, {} sequences, read {:.2f} times so far, {:.2f} times in the whole run",
                    recipe.data.train[s], recipe.data.weights[s], human_count(windows),
                    static_cast<double>(now[s]) / windows, epochs);
    epochs > often ? log::warn("{}", text) : log::info("{}", text);
  }
}

}  // namespace fathom
