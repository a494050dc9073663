#include "train/optimizer.h"

#include <cmath>
#include <utility>

#include "io/checkpoint.h"
#include "model/model_folder.h"
#include "ops/sum_squares.h"
#include "tensor/memory.h"

namespace fathom {

Optimizer::Optimizer(const Device& device, const Model& model, const Weights& grads)
    : Optimizer(model, grads,
                Arena("the optimizer's state", bytes(model.config, model.dtype) + bytes_beside, device,
                      smaller_model)) {}

Optimizer::Optimizer(const Model& model, const Weights& grads, Arena memory)
    : model_(model), memory_(std::move(memory)) {
  const Config& c = model.config;
  const bool with_master = model.dtype == DType::bf16;
  m_ = allocate_weights(c, memory_, stat_of(model.dtype));
  v_ = allocate_weights(c, memory_, stat_of(model.dtype));
  if (with_master) master_ = allocate_weights(c, memory_, DType::f32);
  squares_ = memory_.allocate(DType::f64, {1});

  const std::vector<NamedWeight> w = list_weights(c, model.weights), grad = list_weights(c, grads),
                                 m = list_weights(c, m_), v = list_weights(c, v_),
                                 master = list_weights(c, exact());
  for (size_t i = 0; i < w.size(); ++i)
    parameters_.push_back({.w = w[i].tensor,
                           .master = with_master ? master[i].tensor : Tensor(),
                           .grad = grad[i].tensor,
                           .m = m[i].tensor,
                           .v = v[i].tensor,
                           .decayed = w[i].info.kind == WeightKind::matrix});
}

void Optimizer::copy_from(const Device& device, const Optimizer& from) {
  download_arena_later(device, memory_, from.memory_);
}

int64_t Optimizer::bytes(const Config& config, DType dtype) {
  const int64_t copies = dtype == DType::bf16 ? 3 : 2;
  return copies * weight_bytes(config, stat_of(dtype));
}

void Optimizer::round_master(const Device& device) const {
  Staging exact(device), rounded(device);
  for (const AdamWTensor& p : parameters_)
    if (p.master)
      rounded.write(p.w, [&](const Tensor& w) { copy_tensor(exact.read(p.master), w, "weights"); });
}

double Optimizer::gradient_norm(Device& device) const {
  clear(device, squares_);
  std::vector<Tensor> gradients;
  for (const AdamWTensor& p : parameters_) gradients.push_back(p.grad);
  sum_squares(device, {.sum = squares_, .all = gradients});
  double total = 0;
  download(device, Tensor(&total, DType::f64, {1}), squares_);
  return std::sqrt(total);
}

void Optimizer::update(Device& device, const Recipe::Optimizer& settings, double lr, double grad_scale,
                       int64_t step) const {
  adamw(device, {.tensors = parameters_,
                 .lr = lr,
                 .beta1 = settings.beta1,
                 .beta2 = settings.beta2,
                 .eps = settings.eps,
                 .weight_decay = settings.weight_decay,
                 .grad_scale = grad_scale,
                 .step = step});
}

std::vector<NamedTensor> Optimizer::tensors() const {
  std::vector<NamedTensor> all;
  const auto append = [&](const char* prefix, const Weights& weights) {
    for (NamedTensor& t : checkpoint_tensors(model_.config, weights))
      all.push_back({prefix + t.name, t.tensor});
  };
  append("m.", m_);
  append("v.", v_);
  if (!master_.layers.empty()) append("master.", master_);
  return all;
}

}  // namespace fathom
