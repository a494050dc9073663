// Runner: the device side of the engine. Owns the latent cache and the memory of a forward pass, both
// allocated once, and turns scheduled sequences into batches and batches into tokens.
#pragma once
#include <optional>
#include <span>
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
  // Keys and values are expanded for at most this many tokens at once, which bounds the memory they take;
  // past it attention is absorbed.
  int64_t max_expanded_keys = 8192;
  int64_t vocabulary = 0;        // ids from here on are never picked: models pad theirs past the tokenizer's
  std::optional<bool> absorbed;  // forces one form of attention; by default the cheaper one is taken
};

class Runner {
 public:
  // Device and model must outlive this object.
  Runner(Device& device, const Model& model, const RunnerOptions& options);

  // Runs the scheduled tokens. Returns the next token of each sequence that completes, in order. An Error
  // when the model's output is not finite.
  std::vector<int32_t> run(std::span<const Scheduled> scheduled);

  const LatentCache& cache() const { return cache_; }

 private:
  // Scheduled sequences that attend in the same form, and where the tokens of those that complete go.
  struct Group {
    bool absorbed;
    std::vector<Scheduled> items;
    std::vector<int64_t> rows;
  };
  struct Memory {
    Batch batch;
    Activations activations;
    Tensor last_tokens;  // [n] i32, the last token of each sequence that completes
    Tensor last_hidden;  // [n, C]
    Tensor logits;       // [n, V] stat
    Sample sample;
  };

  std::vector<Group> split(std::span<const Scheduled> scheduled) const;
  bool absorb(const Scheduled& item, int64_t expanded_keys) const;
  // The tokens are there after synchronize().
  void run_group(const Group& group, std::vector<int32_t>& tokens);
  void upload_sampling(const Group& group, const Sample& sample) const;
  Memory allocate(Arena& arena, const BatchSize& size, int64_t max_pages, int64_t outputs) const;
  int64_t step_bytes() const;

  Device& device_;
  const Model& model_;
  RunnerOptions options_;
  Arena cache_memory_, step_memory_;
  LatentCache cache_;
  Replay decoding_;
};

}  // namespace fathom
