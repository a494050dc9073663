#include "train/anomaly_reaction.h"

#include <fmt/format.h>

namespace fathom {
namespace {

bool is_not_finite(Anomaly anomaly) {
  return anomaly == Anomaly::loss_not_finite || anomaly == Anomaly::norm_not_finite;
}

bool too_many_flagged(const Recipe::Anomalies& recipe, const AnomalyHistory& history) {
  return recipe.rollback > 0 && static_cast<int64_t>(history.flagged.size()) >= recipe.rollback;
}

}  // namespace

Reaction react(const Recipe::Anomalies& recipe, Anomaly anomaly, int64_t step, int64_t rollbacks,
               AnomalyHistory& history) {
  const bool flagged = anomaly != Anomaly::none, skipped = flagged && recipe.skip;
  while (!history.flagged.empty() && history.flagged.front() <= step - recipe.window)
    history.flagged.pop_front();
  if (flagged) history.flagged.push_back(step);
  history.in_a_row = skipped ? history.in_a_row + 1 : 0;
  history.skipped += skipped ? 1 : 0;
  if (!flagged) return Reaction::train;
  const bool repeated = too_many_flagged(recipe, history) || history.in_a_row > recipe.most_skipped ||
                        (is_not_finite(anomaly) && !recipe.skip);
  if (!repeated) return skipped ? Reaction::skip : Reaction::train;
  return recipe.rollback > 0 && rollbacks < recipe.most_rollbacks ? Reaction::roll_back : Reaction::end;
}

std::string reason_text(const Recipe::Anomalies& recipe, Anomaly anomaly, int64_t rollbacks,
                        const AnomalyHistory& history) {
  std::string text = text_of(anomaly);
  if (too_many_flagged(recipe, history))
    text += fmt::format("; {} of the last {} steps were flagged, anomaly.rollback = {}",
                        history.flagged.size(), recipe.window, recipe.rollback);
  else if (history.in_a_row > recipe.most_skipped)
    text += fmt::format("; {} steps in a row would be skipped, more than anomaly.most_skipped = {}",
                        history.in_a_row, recipe.most_skipped);
  if (recipe.rollback > 0 && rollbacks >= recipe.most_rollbacks)
    text += fmt::format("; the run was rolled back {} times, all that anomaly.most_rollbacks = {} allows",
                        rollbacks, recipe.most_rollbacks);
  return text;
}

}  // namespace fathom
