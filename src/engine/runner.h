// Runner: the device side of the engine. Owns the latent cache and the memory of a forward pass, both
// allocated once, and turns scheduled sequences into batches and batches into tokens.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/expert_record.h"
#include "engine/scheduler.h"
#include "engine/scored_rows.h"
#include "engine/step_inputs.h"
#include "model/model.h"
#include "ops/sample.h"
#include "tensor/replay.h"

namespace fathom {

struct RunnerOptions {
  int64_t pages = 0, page_size = 64;  // of the cache
  int64_t max_sequences = 16;         // in one step
  int64_t max_tokens = 512;           // in one step
  // Keys and values are expanded for at most this many tokens at a time, at least max_tokens, which bounds
  // the memory they take: longer prefixes are taken in chunks.
  int64_t max_expanded_keys = 8192;
  int64_t vocabulary = 0;        // ids from here on are never picked: models pad theirs past the tokenizer's
  std::optional<bool> absorbed;  // forces one form of attention; by default the cheaper one is taken
  // Whether decoding batches are filled up to the size of a step that can be replayed (buckets.h); by default
  // on a GPU.
  std::optional<bool> padded = {};
  bool record_experts = false;
  bool score = false;  // whether sequences may ask for log-probabilities of given tokens
};

// What running a piece of a sequence gave.
struct PieceResult {
  int32_t token = -1;          // the next one, when the piece completes the sequence
  double log_prob = 0;         // of it, where the sequence asks for it (ops/sample.h)
  std::string error;           // why there is none: what the model computed for the piece is not finite
  std::vector<double> scores;  // of given tokens, those that the piece's rows tell (engine/scored_rows.h)
};

class Runner {
 public:
  // Device and model must outlive this object.
  Runner(Device& device, const Model& model, const RunnerOptions& options);
  // What it takes of the device's memory: the latent cache, and a step with as much as the options allow.
  static int64_t bytes(const Model& model, const RunnerOptions& options);

  // Runs the scheduled tokens; a result for each scheduled piece, in order.
  std::vector<PieceResult> run(std::span<const Scheduled> scheduled);

  // The experts of a sequence's tokens that are in the cache; none unless they are recorded.
  ChosenExperts experts(const Sequence& sequence) const {
    return record_ ? record_->read(sequence) : ChosenExperts();
  }

  // Experts are taken from this table by position, for a single sequence; set it before the first run.
  void replay(const ExpertReplay* replay) { replay_ = replay; }

  const LatentCache& cache() const { return cache_; }
  int64_t vocabulary() const { return options_.vocabulary; }

 private:
  // Scheduled pieces that attend in the same form, those that complete their sequence first.
  struct Group {
    bool absorbed;
    std::vector<Scheduled> items;
    std::vector<size_t> places;  // of the items among all that are scheduled
    int64_t completing = 0;
    bool log_probs = false;  // whether any of those that complete asks for it
    GivenTokenRows scored = {};
  };
  // Given tokens are scored some rows at a time, so that [S, V] logits never exist at once.
  struct ScoreMemory {
    Tensor pairs;   // [2 * S] i32: rows of the batch, then the tokens behind them
    Tensor losses;  // [S] stat
    Tensor hidden;  // [R, C]
    Tensor logits;  // [R, V] stat
  };
  struct Memory {
    StepInputs inputs;
    Activations activations;
    Tensor experts;      // [MoE layers * N, K] i32, if they are recorded
    Tensor last_hidden;  // [B, C]
    Tensor logits;       // [n, V] stat, of the sequences that are sampled
    Tensor log_probs;    // [n] stat
    Sample sample;
    ScoreMemory score;
  };
  // What is read back of a group, in page-locked memory; there after synchronize().
  struct Readback {
    Tensor ids;        // [completing] i32
    Tensor log_probs;  // [completing] stat, if any asks for it
    Tensor hidden;     // [the others, C], their last rows
    Tensor experts;    // [MoE layers * N, K] i32, if they are recorded
    Tensor losses;     // [S] stat, of given tokens
  };

  std::vector<Group> split(std::span<const Scheduled> scheduled) const;
  // `shared`: keys that are expanded for its neighbours too.
  bool absorb(const Scheduled& item, int64_t shared) const;
  bool replayable(const Group& group) const;
  StepForm form_of(const Group& group) const;
  Readback run_group(const Group& group);
  void score(const Group& group, const Tensor& hidden, const ScoreMemory& memory);
  Readback read_back(const Group& group, const Memory& memory);
  static PieceResult result_of(const Group& group, size_t item, const Readback& readback);

  // The largest passes of both forms of attention.
  static std::array<StepSize, 2> largest(const Model& model, const RunnerOptions& options);
  static Memory allocate(const Model& model, const RunnerOptions& options, Arena& arena,
                         const StepSize& size);
  static Tensor allocate_experts(const Model& model, const RunnerOptions& options, Arena& arena,
                                 int64_t tokens);
  static Readback allocate_readback(const Model& model, const RunnerOptions& options, Arena& arena,
                                    const StepSize& size, int64_t completing, int64_t others);
  static ScoreMemory allocate_score(const Model& model, Arena& arena, int64_t scored);
  static int64_t step_bytes(const Model& model, const RunnerOptions& options);
  static int64_t staging_bytes(const Model& model, const RunnerOptions& options);

  Device& device_;
  const Model& model_;
  RunnerOptions options_;
  Arena cache_memory_, step_memory_;
  Arena staging_;  // page-locked: what goes to the device and comes back in a step
  LatentCache cache_;
  std::optional<ExpertRecord> record_;
  const ExpertReplay* replay_ = nullptr;
  Replay decoding_;
};

}  // namespace fathom
