// The memory of one pipeline stage: sets for the micro-batches that are in flight, as many as the stage's
// schedule needs at a time, however many micro-batches a step has.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "comm/pending.h"
#include "model/activations.h"
#include "model/batch.h"
#include "model/expert_exchange.h"
#include "model/model.h"
#include "train/pipeline_schedule.h"

namespace fathom {

// What the sizes of a stage's memory depend on.
struct StageSize {
  DType dtype = DType::f32;
  BatchSize largest;  // micro-batch
  Recompute recompute;
  ModelPart part;
  bool on_host = true;
  Communicator* experts = nullptr;  // the ranks that share this part's routed experts, if there are several
};

// Bytes of a set of each kind, and of what there is one of.
struct StageBytes {
  int64_t kept = 0;      // from a micro-batch's forward pass to its weight gradients
  int64_t deferred = 0;  // from its input gradient to its weight gradients
  int64_t once = 0;      // within a pass: scratch, the head's work, what is received

  int64_t total(const MicroBatchesInFlight& n) const { return n.kept * kept + n.deferred * deferred + once; }
};
StageBytes stage_bytes(const Config& config, const StageSize& size);

// A micro-batch from its forward pass to its weight gradients.
struct InFlight {
  Arena memory;
  Arena* deferred = nullptr;
  BatchSize size;
  Batch batch;
  Tensor targets;  // [N] i32, with the head only
  Activations activations;
  std::unique_ptr<ExpertExchange> exchange;  // with experts on several ranks
  Pending stream_sent, gradient_sent;
};

class PipelineMemory {
 public:
  PipelineMemory(const Device& device, const Config& config, const StageSize& size);

  // Allocates what is missing for so many micro-batches at a time.
  void reserve(const MicroBatchesInFlight& n);

  // Takes a set and lays it out for a micro-batch.
  InFlight& begin(const BatchSize& size);
  // Before the micro-batch's backward pass, and after its weight gradients.
  void begin_gradients(InFlight& f);
  void end(InFlight& f);

  struct HeadWork {
    Tensor dhidden;  // [N, C]
    Tensor losses;   // [N] stat
  };
  // For the micro-batch that the head is at work on; head_scratch() is free behind it.
  HeadWork begin_head(int64_t tokens);
  Arena& head_scratch() { return head_; }

  // Where the next stream and the next gradient arrive.
  Tensor received_stream(int64_t tokens) const { return received_stream_.slice(0, tokens); }
  Tensor received_gradient(int64_t tokens) const { return received_gradient_.slice(0, tokens); }

  // Waits until everything has been sent.
  void finish_sending();

  // Bytes allocated, and the most that was used of them.
  int64_t bytes() const;
  int64_t peak() const;
  // Bytes of the tokens that arrive at experts.
  int64_t exchange_bytes() const;
  int micro_batches() const { return static_cast<int>(sets_.size()); }

 private:
  Tensor stream(Arena& arena) const;

  const Device& device_;
  const Config& config_;
  const StageSize size_;
  const StageBytes bytes_;
  std::vector<std::unique_ptr<InFlight>> sets_;
  std::vector<std::unique_ptr<Arena>> deferred_;
  std::vector<InFlight*> free_sets_;
  std::vector<Arena*> free_deferred_;
  Arena scratch_, head_, received_;
  Tensor received_stream_, received_gradient_;  // [N, C]
};

}  // namespace fathom
