// What a forward pass of the engine needs from the host: the batch, which rows to go on with, and how to
// sample them. It lies in one block of memory, alike on the host and where the model runs, so that one copy
// brings it.
#pragma once
#include <span>

#include "engine/scheduler.h"
#include "model/batch.h"

namespace fathom {

// What the memory of a pass depends on.
struct StepSize {
  BatchSize batch;
  int64_t max_pages = 0;
  int64_t sampled = 0;  // n: the first n sequences get a token
  int64_t scored = 0;   // S: given tokens whose log-probabilities are asked for
};

struct StepInputs {
  Batch batch;
  Tensor last_tokens;  // [B] i32, the last token of each sequence in the batch
  Tensor settings;     // [n, 4] f64, the columns of SampleSetting
  Tensor top_k;        // [n] i32
  Tensor block;        // i32: the memory of them all
};

// From an arena, which may be a planning one.
StepInputs allocate_step_inputs(Arena& arena, const StepSize& size);

// How scheduled pieces become a batch.
struct StepForm {
  int64_t sequences = 0;          // B; those after the pieces are padding: token 0 at position 0
  int64_t max_pages = 0;          // columns of the block table
  int64_t sampled = 0;            // n
  int64_t max_expanded_keys = 0;  // 0: absorbed
  int64_t page_size = 0;          // of the cache
  int32_t padding_page = 0;       // of the cache, where padding writes
};

// What neighbours have in common at their beginnings, in pages of the cache, and may expand together.
SharedPrefixes shared_prefixes(std::span<const Scheduled> pieces, int64_t page_size);

HostBatch host_batch(std::span<const Scheduled> pieces, const StepForm& form);
// Writes all into inputs in the host's memory, allocated for this size. Padding is greedy. top_k is at most
// `vocabulary`, the ids that can be picked.
void write_step_inputs(std::span<const Scheduled> pieces, const HostBatch& batch, int64_t vocabulary,
                       StepInputs& inputs);

}  // namespace fathom
