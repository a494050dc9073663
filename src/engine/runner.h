// Runner: the device side of the engine. Owns the latent cache and the memory of a forward pass, both
// allocated once, and turns scheduled sequences into batches and batches into tokens.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/scheduler.h"
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
};

// What running a piece of a sequence gave.
struct PieceResult {
  int32_t token = -1;  // the next one, when the piece completes the sequence
  std::string error;   // why there is none: what the model computed for the piece is not finite
};

class Runner {
 public:
  // Device and model must outlive this object.
  Runner(Device& device, const Model& model, const RunnerOptions& options);
  // What it takes of the device's memory: the latent cache, and a step with as much as the options allow.
  static int64_t bytes(const Model& model, const RunnerOptions& options);

  // Runs the scheduled tokens; a result for each scheduled piece, in order.
  std::vector<PieceResult> run(std::span<const Scheduled> scheduled);

  // Experts are taken from this table by position, for a single sequence; set it before the first run.
  void replay(const ExpertReplay* replay) { replay_ = replay; }

  const LatentCache& cache() const { return cache_; }

 private:
  // Scheduled pieces that attend in the same form, those that complete their sequence first.
  struct Group {
    bool absorbed;
    std::vector<Scheduled> items;
    std::vector<size_t> places;  // of the items among all that are scheduled
    int64_t completing = 0;
  };
  struct Memory {
    Batch batch;
    Activations activations;
    Tensor last_tokens;  // [B] i32, the last token of each piece
    Tensor last_hidden;  // [B, C]
    Tensor logits;       // [n, V] stat, of the pieces that complete their sequence
    Sample sample;
  };

  std::vector<Group> split(std::span<const Scheduled> scheduled) const;
  bool absorb(const Scheduled& item) const;
  // What is read back of a step, by place; complete after synchronize().
  struct Readback {
    std::vector<int32_t> ids;       // of the pieces that complete their sequence
    std::vector<std::byte> hidden;  // [scheduled, C], the last row of the others
  };
  void run_group(const Group& group, Readback& readback);
  Tensor hidden_row(Readback& readback, size_t place) const;
  void upload_sampling(const Group& group, const Sample& sample) const;
  static Memory allocate(const Model& model, const RunnerOptions& options, Arena& arena,
                         const BatchSize& size, int64_t max_pages, int64_t completing);
  static int64_t step_bytes(const Model& model, const RunnerOptions& options);

  Device& device_;
  const Model& model_;
  RunnerOptions options_;
  Arena cache_memory_, step_memory_;
  LatentCache cache_;
  const ExpertReplay* replay_ = nullptr;
  Replay decoding_;
};

}  // namespace fathom
