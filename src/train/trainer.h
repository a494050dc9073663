// One training run in memory: the model, its gradients and optimizer state, its data. step() is the whole of
// pretraining: forward, loss, backward, clip, AdamW.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "model/head.h"
#include "model/model.h"
#include "ops/balance.h"
#include "tensor/device.h"
#include "train/expert_load.h"
#include "train/loader.h"
#include "train/optimizer.h"
#include "train/recipe.h"
#include "train/schedule.h"
#include "train/snapshot.h"
#include "train/training_checkpoint.h"

namespace fathom {

// What one step did.
struct StepReport {
  int64_t step = 0;       // counted from 1
  int64_t tokens = 0;     // of this step
  int64_t targets = 0;    // of them, those with a target: fewer with document_mask
  double loss = 0;        // mean cross-entropy per target, in nats
  BalanceLevels balance;  // the balance losses, each times its alpha, summed over the MoE layers
  double grad_norm = 0;   // before clipping
  double lr = 0;
  ExpertLoad load;
  double expert_load = 0;  // ExpertLoad::expert_load() of it
  double dropped = 0;      // ExpertLoad::dropped_share() of it
};

// Bytes, each by formula.
struct TrainingMemory {
  int64_t weights, gradients, optimizer, activations;
  int64_t total() const { return weights + gradients + optimizer + activations; }
};
TrainingMemory training_memory(const Recipe& recipe, const Config& config);

// What a micro-batch works in: memory of the device.
struct MicroBatch {
  Batch batch;
  Tensor targets;  // [N] i32
  Tensor losses;   // [N] stat
  Tensor dhidden;  // [N, C]
  Activations activations;
};

class Trainer {
 public:
  // Allocates everything once, opens the data and starts from fresh weights or model.init_from; with
  // `checkpoint`, from that folder instead, where the keys in `changes` may have other values than it was
  // made with.
  explicit Trainer(const Recipe& recipe, const std::string& checkpoint = {},
                   const std::vector<std::string>& changes = {});
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // The schedule's length is reached.
  bool finished() const { return run_finished(recipe_, position()); }
  // Trains on batch_sequences() sequences. When the loss or the gradient is not finite: an Error naming the
  // step, thrown before any weight changes.
  StepReport step();
  // Mean loss per target of the validation data; nothing when there is none.
  std::optional<double> validation_loss();

  // Writes a checkpoint into run.output and prunes older ones. Returns its folder. On a GPU it is written
  // beside the next steps: it is there after wait_for_checkpoint(), which throws what went wrong, as does the
  // next save(), and of several ranks the next step() once all have written theirs.
  std::string save();
  void wait_for_checkpoint();
  // Writes the model alone.
  void save_model_to(const std::string& dir) const;

  const RunState& state() const { return state_; }
  Position position() const { return {state_.step, state_.tokens, loader_->epochs()}; }
  const Model& model() const { return model_; }
  Device& device() { return device_; }
  double epochs() const { return loader_->epochs(); }
  int64_t training_windows() const { return training_windows_; }
  int64_t validation_windows() const { return validation_windows_; }
  bool has_validation_shards() const { return own_validation_shards_.has_value(); }

 private:
  void open_data();
  void start_weights();
  // Opens this run's part of state_; from a checkpoint, the rest.
  void start_state(const std::string& checkpoint, const std::vector<std::string>& changes);
  void finish_written_checkpoint();
  // On every rank, or it counts on none.
  bool take_snapshots();
  bool take_snapshot();
  // The balance losses of a micro-batch need the whole step's choices before its own forward pass.
  bool counts_come_first(size_t micro_batches) const;
  // A forward pass for choices_ alone.
  void count_experts(const PackedBatch& packed, const StepReport& step);
  // Adds the gradients of one micro-batch of the step to grads_, its targets' losses and its balance
  // losses to totals_.
  void micro_step(const PackedBatch& packed, const StepReport& step, bool counted);
  // Brings a batch to the device; the views hold until the next one.
  Batch upload_packed(const PackedBatch& packed);
  // The same for a micro-batch of a step.
  Batch upload_for_step(const PackedBatch& packed, const StepReport& step);
  LossFunction cross_entropy_loss(double scale);
  void update_choice_biases();
  ExpertLoad empty_load() const;
  void read_totals(StepReport& report);
  // Makes micro_ one of `windows` windows.
  void lay_out(int64_t windows);

  Recipe recipe_;
  Device device_;
  mutable Communicator ranks_;
  TokenShards training_shards_;
  std::optional<TokenShards> own_validation_shards_;
  std::string tokenizer_folder_;  // whose files go into checkpoints; empty: none
  int64_t training_windows_ = 0, validation_windows_ = 0, first_validation_window_ = 0;

  Model model_;
  Arena gradient_memory_;
  WeightGradients grads_;
  Optimizer optimizer_;
  Arena work_memory_;
  MicroBatch micro_;
  Arena report_memory_;
  Tensor totals_;         // [4] f64: the current step's losses, then BalanceLoss::losses, added up
  ChoiceCounts choices_;  // of the current step

  RunState state_;
  std::unique_ptr<Loader> loader_;

  std::unique_ptr<Snapshot> snapshot_;  // on a GPU, from the first checkpoint on
  bool snapshots_fit_ = true;
  std::unique_ptr<CheckpointWriter> saving_;  // a checkpoint, from the snapshot
};

}  // namespace fathom
