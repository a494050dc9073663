// Batch: what one forward pass works on. Sequences lie packed one after another, N tokens in all. Training is
// a batch with no cache; serving adds the paged latent cache and where each sequence's pages are.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/key_chunks.h"
#include "tensor/arena.h"
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom {

// The sizes that a batch's memory depends on.
struct BatchSize {
  int64_t tokens = 0;     // N
  int64_t sequences = 0;  // B
  int64_t keys = 0;       // M, keys expanded at a time: N without a cache, 0 if absorbed
  int64_t chunks = 1;     // that the keys are cut into, with a cache; 0 if absorbed
  int64_t units = 0;      // U, of token dropping; 0 outside training
};

// The latent cache of all layers: per layer pages [P, page, Rkv+Dr] of rows [normed c_kv | rotated k_rope].
struct LatentCache {
  std::vector<Tensor> pages;  // [num_hidden_layers] of [P, page, Rkv+Dr]
};

// Allocates the pages from an arena (which may be a planning one).
LatentCache allocate_cache(const Config& config, Arena& arena, DType dtype, int64_t pages, int64_t page_size);

// Experts that another run of the model chose, to be taken instead of the router's own choice (routing
// replay, model/expert_replay.h). All memory is the device's.
//
// The given experts stand for the choice in everything that follows from it. Their weights (gates) are of
// this run's scores, and gradients flow through those to the router. Balance losses take the given experts'
// frequencies and this run's scores; what is counted (ChoiceCounts), sent to other ranks, and dropped for
// want of room are the given choices. A pass that recomputes a layer replays it again.
struct ExpertReplay {
  std::vector<Tensor> given;  // [num_hidden_layers] of [R, K] i32; absent for dense layers
  // [N] i32, the row of `given` that each token takes; negative: it takes the router's choice. Absent: the
  // row of its position.
  Tensor rows;
  std::vector<Tensor> chosen;  // of [N, K] i32, where the router's own choice is kept; may be empty
};

// A batch as the host makes it.
struct HostBatch {
  std::vector<int32_t> tokens, positions;  // [N]
  std::vector<int32_t> sequence_starts;    // [B+1]
  std::vector<int32_t> exempt;             // [U]
  // With a cache only:
  std::vector<int32_t> block_table;  // [B, max_pages]
  std::vector<int32_t> sequence;     // [N]
  std::vector<HostKeyChunk> chunks;  // none: absorbed
  int64_t max_pages = 0;

  BatchSize size() const;
};

// How often each expert was chosen, and how many tokens each group of experts was sent (ops/expert_counts.h).
struct ChoiceCounts {
  Tensor experts;  // [num_hidden_layers, E] i32
  Tensor groups;   // [num_hidden_layers, D] i32
  Tensor dropped;  // [num_hidden_layers] i32: how many choices went nowhere (ops/capacity.h)
};

// The optimizer step that a training batch is a part of, and what it asks of the MoE layers (ops/balance.h,
// ops/capacity.h).
struct TrainingStep {
  int64_t tokens = 0;    // T; 0: the batch is all of it
  ChoiceCounts choices;  // with seq_aux false: the whole step's; absent: the batch is all of it
  // Weights of the device-level and the communication-level loss, beside the config's aux_loss_alpha.
  double device_alpha = 0, communication_alpha = 0;
  double capacity_factor = 0;  // room of a group of experts over its average load; 0: for all
};

// A HostKeyChunk where the model runs.
struct KeyChunk {
  Tensor first;      // [B] i32
  Tensor starts;     // [B+1] i32
  Tensor queries;    // [B+1] i32
  int64_t keys = 0;  // starts[B]
};

// A batch where the model runs: views of integers in the device's memory.
struct Batch {
  Tensor tokens;           // [N] i32
  Tensor positions;        // [N] i32, position of each token in its sequence
  Tensor sequence_starts;  // [B+1] i32, the tokens of sequence b are starts[b] .. starts[b+1]-1
  Tensor whole;  // [2] i32: {0, N}, all tokens as one sequence: for a balance loss with seq_aux false

  // Training only. The tokens are U units of token dropping, one after another; where `exempt` is not 0,
  // nothing is dropped.
  TrainingStep step;
  Tensor exempt;  // [U] i32

  // With a cache only. This batch's tokens are the last ones of their sequences.
  LatentCache* cache = nullptr;  // a forward pass writes the tokens' rows
  Tensor block_table;  // [B, max_pages] i32, token t of a sequence is in page block_table[b, t / page]
  Tensor sequence;     // [N] i32, the sequence b of each token
  // The keys to expand, chunk by chunk; these tokens' own are in the last one. None: attend in the latent
  // space (decoding) instead of expanding keys and values.
  std::vector<KeyChunk> chunks;

  bool absorbed() const { return cache && chunks.empty(); }

  const ExpertReplay* replay = nullptr;  // present: experts are taken from it

  Tensor block;  // i32: the memory of them all, for one copy to a batch of the same size
};

// Memory for a batch of exactly this size, from an arena (which may be a planning one); with a cache when
// max_pages > 0.
Batch allocate_batch(Arena& arena, const BatchSize& size, int64_t max_pages = 0);
// Writes the values into a batch in the host's memory that was allocated for their size.
void write_batch(const HostBatch& host, Batch& batch);
// The same for a batch where the model runs, in one copy. Where the model will not be able to check
// them against the config itself, that is done here: an Error names the first that cannot work.
void upload_batch(const Device& device, const Config& config, const HostBatch& host, Batch& batch);
// Token ids and positions must be the model's.
void check_tokens(const Config& config, std::span<const int32_t> tokens, std::span<const int32_t> positions);

// Whether absorbed attention needs fewer operations than expanded attention for a sequence with this number of
// new tokens and this whole length, of which others expand the first `shared` keys (docs/architecture.md has the arithmetic). With grouped-query attention
// there is nothing to absorb: whether it moves fewer keys to read the cache in place than to gather it.
bool absorbed_is_cheaper(const Config& config, int64_t new_tokens, int64_t length, int64_t shared = 0);
// The most new tokens of one sequence for which it can be cheaper, whatever their prefix.
int64_t most_absorbed_tokens(const Config& config);

}  // namespace fathom
