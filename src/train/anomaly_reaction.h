// What is done about a step that is not like those before: by the recipe, and by what came before it. All
// ranks give it the same and come to the same answer.
#pragma once
#include <cstdint>
#include <string>

#include "train/anomaly_watch.h"
#include "train/recipe.h"

namespace fathom {

enum class Reaction {
  train,      // as on any other step
  skip,       // change no weight
  roll_back,  // go back to the last checkpoint, and on from there with the data in another order
  end,        // end the run with an error
};

// Of `step`, which was judged as `anomaly`, in a run that has been rolled back so many times. Notes it in the
// history. Repeated anomalies roll back, where the recipe says so and has roll-backs left, or end the run:
// anomaly.rollback of them among the last anomaly.window steps, more than anomaly.most_skipped steps skipped
// in a row, or, where nothing is skipped, the first number that is not finite.
Reaction react(const Recipe::Anomalies& recipe, Anomaly anomaly, int64_t step, int64_t rollbacks,
               AnomalyHistory& history);

// Why it was `end`, or `roll_back`: "3 of the last 64 steps were flagged" and so on, and what limits it.
std::string reason_text(const Recipe::Anomalies& recipe, Anomaly anomaly, int64_t rollbacks,
                        const AnomalyHistory& history);

}  // namespace fathom
