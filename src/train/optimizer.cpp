#include "train/optimizer.h"

#include <cmath>
#include <utility>

#include "base/error.h"
#include "io/checkpoint.h"
#include "ops/sum_squares.h"
#include "tensor/memory.h"
#include "train/optimizer_file.h"

namespace fathom {
namespace {

void append(std::vector<CheckpointPart>& all, const char* prefix, std::vector<CheckpointPart> parts) {
  for (CheckpointPart& part : parts) all.push_back({prefix + part.name, part.tensor});
}

}  // namespace

Optimizer::Optimizer(const Device& device, Model& model, const Weights& grads)
    : Optimizer(model, grads,
                Arena("the optimizer's state", bytes(model.config, model.dtype) + bytes_beside, device,
                      smaller_model)) {}

Optimizer::Optimizer(Model& model, const Weights& grads, Arena memory)
    : model_(model), memory_(std::move(memory)), exact_(model.weights) {
  const Config& c = model.config;
  m_ = allocate_weights(c, memory_, gradient_types(model.dtype));
  v_ = allocate_weights(c, memory_, gradient_types(model.dtype));
  master_ = allocate_weights(c, memory_, master_types(model.dtype));
  squares_ = memory_.allocate(DType::f64, {1});

  const std::vector<NamedWeight> w = list_weights(c, model.weights), grad = list_weights(c, grads),
                                 m = list_weights(c, m_), v = list_weights(c, v_),
                                 master = list_weights(c, master_);
  for (size_t i = 0; i < w.size(); ++i) {
    if (!is_trained(w[i].info.kind)) continue;
    parameters_.push_back({.w = w[i].weight.data,
                           .master = master[i].weight.data,
                           .grad = grad[i].weight.data,
                           .m = m[i].weight.data,
                           .v = v[i].weight.data,
                           .decayed = is_matrix(w[i].info.kind)});
  }
  size_t i = 0;
  visit(c, exact_, [&](const WeightInfo&, Weight& weight) {
    if (const Weight& copy = master[i++].weight) weight = copy;
  });
}

void Optimizer::copy_from(const Device& device, const Optimizer& from) {
  download_arena_later(device, memory_, from.memory_);
}

int64_t Optimizer::bytes(const Config& config, DType dtype) {
  return 2 * weight_bytes(config, gradient_types(dtype)) + weight_bytes(config, master_types(dtype));
}

void Optimizer::round_master(const Device& device) {
  Staging exact(device), rounded(device);
  for (const AdamWTensor& p : parameters_)
    if (p.master)
      rounded.write(p.w, [&](const Tensor& w) { copy_tensor(exact.read(p.master), w, "weights"); });
}

double Optimizer::gradient_norm(Device& device) {
  clear(device, squares_);
  std::vector<Tensor> gradients;
  for (const AdamWTensor& p : parameters_) gradients.push_back(p.grad);
  sum_squares(device, {.sum = squares_, .all = gradients});
  double total = 0;
  download(device, Tensor(&total, DType::f64, {1}), squares_);
  return std::sqrt(total);
}

void Optimizer::update(Device& device, const Recipe::Optimizer& settings, double lr, double grad_scale,
                       int64_t step) {
  adamw(device, {.tensors = parameters_,
                 .lr = lr,
                 .beta1 = settings.beta1,
                 .beta2 = settings.beta2,
                 .eps = settings.eps,
                 .weight_decay = settings.weight_decay,
                 .grad_scale = grad_scale,
                 .step = step});
}

Weights Optimizer::own_weights() const {
  Weights own = exact_;
  const std::vector<NamedWeight> master = list_weights(model_.config, master_);
  size_t i = 0;
  visit(model_.config, own, [&](const WeightInfo&, Weight& weight) {
    if (master[i++].weight) weight = {};
  });
  return own;
}

std::vector<CheckpointPart> Optimizer::state() const {
  std::vector<CheckpointPart> all;
  append(all, "m.", checkpoint_parts(model_.config, m_));
  append(all, "v.", checkpoint_parts(model_.config, v_));
  append(all, "master.", checkpoint_parts(model_.config, master_));
  return all;
}

std::vector<TensorSlice> Optimizer::slices() const {
  return whole_slices(state());
}

void Optimizer::load(const Device& device, const std::string& path) {
  std::vector<CheckpointPart> without_master;
  append(without_master, "master.", checkpoint_parts(model_.config, own_weights()));
  const auto to_read = [](const std::vector<CheckpointPart>& parts) {
    std::vector<SliceToRead> slices;
    for (const CheckpointPart& part : parts) slices.push_back({part.name, 0, part.tensor});
    return slices;
  };
  read_optimizer_file(device, path, model_.config, model_.dtype, to_read(state()), to_read(without_master));
}

}  // namespace fathom
