// One training run in memory: the model, its gradients and optimizer state, its data. step() is the whole of
// pretraining: forward, loss, backward, clip, AdamW. Of several ranks each makes the same calls, and all get
// the same answers.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/world.h"
#include "ops/balance.h"
#include "tensor/device.h"
#include "train/anomaly_reaction.h"
#include "train/anomaly_watch.h"
#include "train/expert_load.h"
#include "train/objective.h"
#include "train/rank_groups.h"
#include "train/recipe.h"
#include "train/schedule.h"
#include "train/snapshot.h"
#include "train/step_passes.h"
#include "train/step_source.h"
#include "train/step_totals.h"
#include "train/trained_model.h"
#include "train/training_checkpoint.h"
#include "train/training_data.h"
#include "train/training_memory.h"

namespace fathom {

// What one step did.
struct StepReport {
  int64_t step = 0;       // counted from 1
  int64_t tokens = 0;     // of this step
  int64_t targets = 0;    // of them, those with a target: fewer with document_mask
  double weight = 0;      // of the targets: what means are taken over
  double loss = 0;        // the objective's mean: cross-entropy per target, in nats
  std::vector<Objective::Sum> means = {};  // what the objective measures beside it
  BalanceLevels balance;  // the balance losses, each times its alpha, summed over the MoE layers
  double grad_norm = 0;   // before clipping
  double lr = 0;
  ExpertLoad load;
  double expert_load = 0;  // ExpertLoad::expert_load() of it
  double dropped = 0;      // ExpertLoad::dropped_share() of it
  Anomaly anomaly = Anomaly::none;
  Reaction reaction = Reaction::train;  // train, skip or roll_back
  std::string why = {};                 // it is roll_back, in words

  bool skipped() const { return reaction == Reaction::skip; }
};

// What kind of training a run is. By default pretraining: token shards, and the cross-entropy of each next
// token.
struct TrainingKind {
  // What a source of steps works with. All of it outlives the source.
  struct SourceParts {
    const Recipe& recipe;
    Device& device;
    const Model& model;  // with the weights of the moment
    const TrainingData& data;
    Objective& objective;
    const WindowOrder& order;
    int64_t windows_read;
  };

  std::function<TrainingData(const Recipe&, int threads)> open_data = open_token_shards;
  std::function<std::unique_ptr<Objective>(const Recipe&)> make_objective = {};         // absent: TokenObjective
  std::function<std::unique_ptr<StepSource>(const SourceParts&)> make_source = {};  // absent: Loader
  std::string measure = "loss";  // what validation measures
};

class Trainer {
 public:
  // Allocates everything once, opens the data and starts from fresh weights or model.init_from; with
  // `checkpoint`, from that folder instead, where the keys in `changes` may have other values than it was
  // made with. `world` is null for one process alone.
  explicit Trainer(const Recipe& recipe, const std::string& checkpoint = {},
                   const std::vector<std::string>& changes = {}, World* world = nullptr,
                   const TrainingKind& kind = {});
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // The part of a profiled step in which it stands still for its data.
  static constexpr const char* data_wait = "waiting for data";

  // The schedule's length is reached.
  bool finished() const { return run_finished(recipe_, position()); }
  // A checkpoint of this moment is all that the run needs to go on.
  bool may_stop() const { return source_->may_stop(); }
  // StepSource::take_records.
  std::vector<Json> take_records() { return source_->take_records(); }
  // StepSource::ready: false, with nothing done, when a signal came before the step had its data.
  bool ready();
  // Trains on batch_sequences() sequences. When the loss or the gradient is not finite: an Error naming the
  // step, thrown before any weight changes, on all ranks; but see react(). Where the answer is roll_back
  // nothing but roll_back() may follow.
  StepReport step();
  // Goes back to the newest whole checkpoint, and on from there with the data in another order. That is noted
  // in the checkpoint. Error when there is none.
  void roll_back(const StepReport& report);
  // Mean loss per target of the validation data, or what TrainingKind::measure says; nothing when there is no
  // such data.
  std::optional<double> validation_loss();
  // What was measured beside it.
  const std::vector<Objective::Sum>& validation_means() const { return validation_means_; }

  // Writes a checkpoint into run.output and prunes older ones. Returns its folder. On a GPU it is written
  // beside the next steps: it is there after wait_for_checkpoint(), which throws what went wrong, as does the
  // next save(), and of several ranks the next step() once all have written theirs.
  std::string save();
  void wait_for_checkpoint();
  // Writes the model alone.
  void save_model_to(const std::string& dir) const;

  // What this rank has taken so far, of all that training_memory() counts.
  TrainingMemory memory_taken() const;

  const RunState& state() const { return state_; }
  Position position() const { return {state_.step, state_.tokens, epochs()}; }
  // With weights that are those of all ranks.
  const Model& model() const {
    trained_.finish_gathering();
    return trained_.model();
  }
  const Optimizer& optimizer() const { return trained_.optimizer(); }
  Device& device() { return device_; }
  RankGroups& ranks() { return ranks_; }
  double epochs() const {
    return static_cast<double>(source_->windows_read()) / static_cast<double>(order().windows());
  }
  const WindowOrder& order() const { return *order_; }
  int64_t training_windows() const { return order().windows(); }
  int64_t validation_windows() const { return static_cast<int64_t>(data_.validation_places.size()); }
  const TrainingData& data() const { return data_; }

 private:
  WindowOrder window_order() const;
  SavedModel saved_model() const {
    return {config_,
            recipe_.run.precision,
            recipe_.model.init_from,
            {data_.tokenizer_folder, data_.chat_template}};
  }
  // What the run learns from and stands on.
  RunState starting_state();
  // Fills the weights and this run's part of state_; from a checkpoint, the rest.
  void start(World* world, const std::string& checkpoint, const std::vector<std::string>& changes);
  // Fills the weights and the optimizer's state.
  RunState load(const std::string& checkpoint);
  // The run stands at what `then`, a checkpoint's, says; its data and tokenizer are those of `now`.
  void go_on(RunState then, const RunState& now);
  void start_source();
  void finish_written_checkpoint();
  // On every rank, or it counts on none.
  bool take_snapshots();
  bool take_snapshot();
  void update_choice_biases();
  void read_totals(StepReport& report);
  std::vector<Objective::Sum> objective_means(double weight);
  // Fills in what is wrong with the step, and what is done about it. Error where that is to end.
  void watch(StepReport& report);
  void update_weights(const StepReport& report);
  // On which rank the loss or the gradient is not finite; empty where both are finite.
  std::string origin_of(const StepReport& report);
  // Packs this rank's i-th micro-batch of the validation data.
  void pack_validation(int64_t i, PackedBatch& packed) const;

  const Recipe recipe_;
  const TrainingKind kind_;
  Device device_;
  const TrainingData data_;
  const Config config_;
  mutable RankGroups ranks_;
  TrainedModel trained_;
  StepTotals totals_;  // of the current step
  const std::unique_ptr<Objective> objective_;
  StepPasses passes_;

  RunState state_;
  AnomalyWatch watch_;
  std::optional<WindowOrder> order_;
  std::unique_ptr<StepSource> source_;
  const PackedStep* next_ = nullptr;  // ready, and not trained on yet
  std::vector<Objective::Sum> validation_means_;

  std::unique_ptr<Snapshot> snapshot_;  // on a GPU, from the first checkpoint on
  bool snapshots_fit_ = true;
  std::unique_ptr<CheckpointWriter> saving_;  // a checkpoint, from the snapshot
};

}  // namespace fathom
