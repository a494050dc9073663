// A GPU loads a kernel when it is first launched, above all cuBLASLt's for a product of new sizes, and waits
// for all work on the GPU then: also for what is to arrive from another stage, which may itself wait for this
// one. So the passes of a micro-batch of a new size run once before any message of the step is under way.
// Their results are overwritten.
#include "ops/fill_normal.h"
#include "train/pipeline_stage.h"

namespace fathom {
namespace {

// As if it had come from another stage. Equal rows would all go to the same experts.
void fill(Device& device, const Tensor& x) {
  fill_normal(device, {.out = x});
}

}  // namespace

void PipelineStage::warm_up(const PipelineStep& s, Warm kind) {
  if (device_.on_host()) return;
  std::vector<const PackedBatch*> fresh;
  for (const PackedBatch& packed : s.micro_batches)
    if (warm_.insert({kind, packed.batch.size().tokens}).second) fresh.push_back(&packed);
  // Ranks that share experts need one another for each pass.
  auto passes = static_cast<double>(fresh.size());
  if (experts_)
    experts_->host().run(AllReduce{.x = Tensor(&passes, DType::f64, {1}), .reduction = Reduction::max});
  for (size_t i = 0; i < static_cast<size_t>(passes); ++i)
    warm_up_with(s, i < fresh.size() ? *fresh[i] : s.micro_batches[0], kind);
}

void PipelineStage::warm_up_with(const PipelineStep& s, const PackedBatch& packed, Warm kind) {
  PipelineStep alone = s;
  alone.choices = {}, alone.add = {};
  InFlight& f = place(alone, packed);
  if (!links_.first()) fill(device_, f.activations.stream(model_.part.first_layer));
  forward(f);
  if (kind == Warm::losses && links_.last()) head_losses(f);
  if (kind == Warm::training) {
    memory_.begin_gradients(f);
    if (!links_.last()) fill(device_, f.activations.gradients.stream);
    grads_.accumulate = false;
    input_gradient(alone, f);
    weight_gradient(f);
  }
  memory_.end(f);
}

}  // namespace fathom
