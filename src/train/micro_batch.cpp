#include "train/micro_batch.h"

#include "model/head.h"
#include "ops/dispatch.h"

namespace fathom {
namespace {

MicroBatch lay_out(const Recipe& r, const Config& c, const ModelPart& part, Arena& arena,
                   const BatchSize& size, const Recompute& recompute) {
  const DType dtype = r.run.precision;
  const int64_t N = size.tokens;
  MicroBatch m;
  m.batch = allocate_batch(arena, size);
  m.targets = arena.allocate(DType::i32, {N});
  m.weights = arena.allocate(stat_of(dtype), {N});
  m.losses = arena.allocate(stat_of(dtype), {N});
  m.head_losses = arena.allocate(stat_of(dtype), {N});
  m.dhidden = arena.allocate(dtype, {N, c.hidden_size});
  m.activations = allocate_activations(c, arena, dtype, Purpose::training, size, recompute, part);
  return m;
}

}  // namespace

Recompute recompute_of(const Recipe& recipe, const Config& config) {
  Recompute recompute;
  recompute.layers = recipe.run.recompute ? config.num_hidden_layers : recipe.run.recompute_layers;
  recompute.set_parts("run.recompute_parts", recipe.run.recompute_parts);
  return recompute;
}

BatchSize micro_batch_size(const Recipe& r, int64_t tokens, int64_t units) {
  return {.tokens = tokens,
          .sequences = r.data.document_mask ? tokens : units,
          .keys = tokens,
          .units = units};
}

BatchSize micro_batch_size(const Recipe& r, int64_t windows) {
  return micro_batch_size(r, windows * r.data.sequence_length, windows);
}

MicroBatch allocate_micro_batch(const Recipe& r, const Config& c, const ModelPart& part, Arena& arena,
                                const BatchSize& size) {
  return lay_out(r, c, part, arena, size, recompute_of(r, c));
}

int64_t micro_batch_bytes(const Recipe& r, const Config& c, const ModelPart& part, int64_t windows,
                          const Recompute& recompute) {
  Arena plan;
  lay_out(r, c, part, plan, micro_batch_size(r, windows), recompute);
  return plan.used() +
         head_bytes(c, r.run.precision, windows * r.data.sequence_length, !r.run.device.starts_with("cuda"));
}

int64_t micro_batch_bytes(const Recipe& r, const Config& c, const ModelPart& part) {
  return micro_batch_bytes(r, c, part, r.batch.micro_batch, recompute_of(r, c));
}

}  // namespace fathom
