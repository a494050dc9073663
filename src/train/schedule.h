// Learning rate and batch size over a run: pure functions of where the run stands.
#pragma once
#include <cstdint>

#include "train/recipe.h"

namespace fathom {

// Where a run stands before a step.
struct Position {
  int64_t step = 0;    // steps done
  int64_t tokens = 0;  // tokens learnt from
  double epochs = 0;   // passes over the data
};

// The part of the run that is done, 0..1: in steps, tokens or epochs, as the recipe gives its length.
double run_progress(const Recipe& recipe, const Position& position);
inline bool run_finished(const Recipe& recipe, const Position& position) {
  return run_progress(recipe, position) >= 1;
}

// The learning rate of the step that comes next. Warm-up: lr * (step+1)/warmup_steps. Then
//   constant: lr;  step (paper section 3.1.2): lr times decay_factor for every entry of decay_at passed;
//   cosine: from lr to lr * final_factor, half a period over what follows the warm-up (in steps) or over the
//   whole run (in tokens or epochs).
double learning_rate(const Recipe& recipe, const Position& position);

// Sequences of the step that comes next, growing linearly with the tokens from ramp_from to `sequences`. (The
// paper says "gradually increased" from 2304 to 9216 over 225B tokens; the shape is not published.)
int64_t batch_sequences(const Recipe::Batch& batch, int64_t tokens);

}  // namespace fathom
