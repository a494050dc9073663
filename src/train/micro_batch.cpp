#include "train/micro_batch.h"

#include "model/head.h"
#include "ops/dispatch.h"

namespace fathom {
Recompute recompute_of(const Recipe& recipe, const Config& config) {
  Recompute recompute;
  recompute.layers = recipe.run.recompute ? config.num_hidden_layers : recipe.run.recompute_layers;
  recompute.set_parts("run.recompute_parts", recipe.run.recompute_parts);
  return recompute;
}

BatchSize micro_batch_size(const Recipe& r, int64_t windows) {
  const int64_t N = windows * r.data.sequence_length;
  return {.tokens = N, .sequences = r.data.document_mask ? N : windows, .keys = N, .units = windows};
}

MicroBatch allocate_micro_batch(const Recipe& r, const Config& c, const ModelPart& part, Arena& arena,
                                int64_t windows) {
  const DType dtype = r.run.precision;
  const BatchSize size = micro_batch_size(r, windows);
  const int64_t N = size.tokens;
  MicroBatch m;
  m.batch = allocate_batch(arena, size);
  m.targets = arena.allocate(DType::i32, {N});
  m.losses = arena.allocate(stat_of(dtype), {N});
  m.dhidden = arena.allocate(dtype, {N, c.hidden_size});
  m.activations = allocate_activations(c, arena, dtype, Purpose::training, size, recompute_of(r, c), part);
  return m;
}

int64_t micro_batch_bytes(const Recipe& r, const Config& c, const ModelPart& part) {
  Arena plan;
  allocate_micro_batch(r, c, part, plan, r.batch.micro_batch);
  return plan.used() + head_bytes(c, r.run.precision, r.batch.micro_batch * r.data.sequence_length,
                                  !r.run.device.starts_with("cuda"));
}

}  // namespace fathom
