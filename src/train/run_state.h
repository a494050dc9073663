// What a run needs besides tensors to continue exactly where it stood; trainer.json of a checkpoint.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/json.h"
#include "train/anomaly_watch.h"
#include "train/recipe.h"
#include "train/window_order.h"

namespace fathom {

// The run went back to a checkpoint, and on with the data in another order.
struct RollBack {
  int64_t step = 0;                 // that was not like those before
  int64_t to = 0;                   // the checkpoint's
  std::string why = {};             // in words
  std::vector<int64_t> taken = {};  // windows of each source before it: WindowOrder::reorder()

  bool operator==(const RollBack&) const = default;
};

struct RunState {
  int64_t step = 0;          // steps done
  int64_t tokens = 0;        // tokens learnt from
  int64_t windows_read = 0;  // of the data loader
  int64_t data_tokens = 0;   // size of the training data
  // What it was trained on; empty: a checkpoint of an earlier release does not say.
  std::string data = {};                 // TokenShards::fingerprint()
  std::string tokenizer = {};            // tokenizer_identity()
  // Where adapters are trained: weights_identity() of the model beneath, and of the adapter that they began
  // as.
  std::string base = {}, adapter = {};
  MixtureStart mixture = {};             // with data.weights
  AnomalyHistory anomalies = {};         // what the next steps are compared with
  std::vector<RollBack> rollbacks = {};  // of the whole run, in order
};

// Of trainer.json. Error naming the file, and the field that is missing or cannot be.
RunState read_run_state(const std::string& path);
void write_run_state(const std::string& path, const RunState& state, const Recipe& recipe,
                     const Config& config);
// The model that a checkpoint was made with, without its adapters.
Config checkpoint_config(const std::string& checkpoint);
// The run went back to this checkpoint, and stands there with this state: whatever happens to the process
// before it has written another one, the run has gone back.
void note_rollback(const std::string& path, const RunState& state);

// The file's content, of a format that is known.
Json read_trainer_json(const std::string& path);

// For tools: without `taken`.
OrderedJson rollbacks_to_json(const std::vector<RollBack>& rollbacks);

}  // namespace fathom
