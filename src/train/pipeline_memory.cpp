#include "train/pipeline_memory.h"

#include <cassert>

#include "model/head.h"
#include "ops/dispatch.h"

namespace fathom {
namespace {

constexpr const char* remedy =
    "batch.micro_batch or data.sequence_length lowers it, parallel.schedule = \"1f1b\", and "
    "run.recompute_parts or run.recompute";

// Integers of the batch and all that is kept, from the arenas, which may be planning ones.
void lay_out(const Config& c, const StageSize& s, const BatchSize& size, Arena& kept, Arena& scratch,
             InFlight& f) {
  f.size = size;
  f.batch = allocate_batch(kept, size);
  if (s.part.has_head(c)) f.targets = kept.allocate(DType::i32, {size.tokens});
  f.activations = allocate_deferred_activations(c, kept, scratch, s.dtype, size, s.recompute, s.part);
}

PipelineMemory::HeadWork lay_out_head(const Config& c, DType dtype, int64_t tokens, Arena& arena) {
  return {arena.allocate(dtype, {tokens, c.hidden_size}), arena.allocate(stat_of(dtype), {tokens})};
}

int64_t head_work_bytes(const Config& c, const StageSize& s) {
  if (!s.part.has_head(c)) return 0;
  Arena plan;
  lay_out_head(c, s.dtype, s.largest.tokens, plan);
  return plan.used() + head_bytes(c, s.dtype, s.largest.tokens, s.on_host);
}

int64_t received_bytes(const Config& c, const StageSize& s) {
  Arena plan;
  for (const bool received : {!s.part.has_embedding(), !s.part.has_head(c)})
    if (received) plan.allocate(s.dtype, {s.largest.tokens, c.hidden_size});
  return plan.used();
}

int64_t scratch_bytes(const Config& c, const StageSize& s) {
  return deferred_activation_bytes(c, s.dtype, s.largest, s.recompute, s.part).scratch;
}

}  // namespace

StageBytes stage_bytes(const Config& c, const StageSize& s) {
  Arena kept, scratch;
  InFlight f;
  lay_out(c, s, s.largest, kept, scratch, f);
  return {.kept = kept.used(),
          .deferred = deferred_activation_bytes(c, s.dtype, s.largest, s.recompute, s.part).deferred,
          .once = scratch.used() + head_work_bytes(c, s) + received_bytes(c, s)};
}

PipelineMemory::PipelineMemory(const Device& device, const Config& c, const StageSize& s)
    : device_(device),
      config_(c),
      size_(s),
      bytes_(stage_bytes(c, s)),
      scratch_("a pass of a stage", scratch_bytes(c, s), device, remedy),
      head_("the head", head_work_bytes(c, s), device, remedy),
      received_("what a stage receives", received_bytes(c, s), device, remedy) {
  if (!s.part.has_embedding()) received_stream_ = stream(received_);
  if (!s.part.has_head(c)) received_gradient_ = stream(received_);
}

Tensor PipelineMemory::stream(Arena& arena) const {
  return arena.allocate(size_.dtype, {size_.largest.tokens, config_.hidden_size});
}

void PipelineMemory::reserve(const MicroBatchesInFlight& n) {
  while (static_cast<int>(sets_.size()) < n.kept) {
    auto set = std::make_unique<InFlight>();
    set->memory = Arena("activations of a micro-batch", bytes_.kept, device_, remedy);
    if (size_.experts)
      set->exchange = std::make_unique<ExpertExchange>(config_, size_.part, device_, *size_.experts);
    free_sets_.push_back(set.get());
    sets_.push_back(std::move(set));
  }
  while (static_cast<int>(deferred_.size()) < n.deferred) {
    deferred_.push_back(
        std::make_unique<Arena>("deferred gradients of a micro-batch", bytes_.deferred, device_, remedy));
    free_deferred_.push_back(deferred_.back().get());
  }
}

// The set that was free first: what it sent last has had the most time to arrive.
InFlight& PipelineMemory::begin(const BatchSize& size) {
  assert(!free_sets_.empty());
  InFlight& f = *free_sets_.front();
  free_sets_.erase(free_sets_.begin());
  f.stream_sent.wait();
  f.gradient_sent.wait();
  f.memory.rewind(0), scratch_.rewind(0);
  lay_out(config_, size_, size, f.memory, scratch_, f);
  f.activations.exchange = f.exchange.get();
  return f;
}

void PipelineMemory::begin_gradients(InFlight& f) {
  assert(!free_deferred_.empty());
  f.stream_sent.wait();  // a gradient takes its place
  f.deferred = free_deferred_.back();
  free_deferred_.pop_back();
  f.deferred->rewind(0);
  allocate_deferred_gradients(config_, *f.deferred, size_.dtype, f.size, f.activations);
}

void PipelineMemory::end(InFlight& f) {
  if (f.deferred) free_deferred_.push_back(f.deferred);
  f.deferred = nullptr;
  free_sets_.push_back(&f);
}

PipelineMemory::HeadWork PipelineMemory::begin_head(int64_t tokens) {
  head_.rewind(0);
  return lay_out_head(config_, size_.dtype, tokens, head_);
}

void PipelineMemory::finish_sending() {
  for (const auto& set : sets_) set->stream_sent.wait(), set->gradient_sent.wait();
}

int64_t PipelineMemory::bytes() const {
  int64_t bytes = scratch_.size() + head_.size() + received_.size();
  for (const auto& set : sets_) bytes += set->memory.size();
  for (const auto& arena : deferred_) bytes += arena->size();
  return bytes;
}

int64_t PipelineMemory::peak() const {
  int64_t bytes = scratch_.peak() + head_.peak() + received_.peak();
  for (const auto& set : sets_) bytes += set->memory.peak();
  for (const auto& arena : deferred_) bytes += arena->peak();
  return bytes;
}

int64_t PipelineMemory::exchange_bytes() const {
  int64_t bytes = 0;
  for (const auto& set : sets_)
    if (set->exchange) bytes += set->exchange->memory.size();
  return bytes;
}

}  // namespace fathom
