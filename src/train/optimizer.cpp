#include "train/optimizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "io/checkpoint.h"
#include "model/checkpoint_layout.h"
#include "ops/sum_squares.h"
#include "tensor/memory.h"
#include "train/optimizer_file.h"

namespace fathom {
namespace {

// The elements of a contiguous tensor.
Tensor flat(const Tensor& t) {
  return t.reshape({t.count()});
}

// Those of a piece; of a weight that has no tensor, none.
Tensor piece_of(const Tensor& weight, const WeightPiece& piece) {
  return weight ? flat(weight).slice(piece.first, piece.count) : Tensor();
}

std::vector<TensorSlice> read_only(const std::vector<SliceToRead>& slices) {
  std::vector<TensorSlice> all;
  for (const SliceToRead& slice : slices) all.push_back({slice.name, slice.first, slice.values});
  return all;
}

// The state of one piece, whose weight is stored in `type`.
AdamWTensor allocate_state(Arena& arena, DType type, int64_t count) {
  const DType stat = stat_of(type);
  AdamWTensor t;
  t.m = arena.allocate(stat, {count});
  t.v = arena.allocate(stat, {count});
  if (type != stat) t.master = arena.allocate(stat, {count});
  return t;
}

}  // namespace

Weights starting_weights(const Model& model, const Weights& grads) {
  Weights exact = grads;
  const std::vector<NamedWeight> own = list_weights(model.config, model.weights, model.part);
  size_t i = 0;
  const auto take_own = [&](const WeightInfo& info, Weight& weight) {
    if (!is_trained(info)) weight = own[i].weight;
    ++i;
  };
  visit(model.config, exact, take_own, model.part);
  return exact;
}

Optimizer::Optimizer(const Device& device, Model& model, const Weights& grads,
                     std::vector<WeightPiece> pieces)
    : Optimizer(model, grads, pieces,
                Arena("the optimizer's state", bytes(model, pieces) + bytes_beside, device, smaller_model)) {}

Optimizer::Optimizer(Model& model, const Weights& grads, std::vector<WeightPiece> pieces, Arena memory)
    : model_(model),
      weights_(list_weights(model.config, model.weights, model.part)),
      pieces_(std::move(pieces)),
      memory_(std::move(memory)) {
  const std::vector<NamedWeight> gradients = list_weights(model.config, grads, model.part);
  const auto fixed = std::stable_partition(pieces_.begin(), pieces_.end(), [this](const WeightPiece& piece) {
    return is_trained(weights_[piece.weight].info);
  });
  fixed_.assign(fixed, pieces_.end()), pieces_.erase(fixed, pieces_.end());
  for (const WeightPiece& piece : pieces_) {
    const NamedWeight& w = weights_[piece.weight];
    AdamWTensor t = allocate_state(memory_, w.weight.data.dtype, piece.count);
    t.w = piece_of(w.weight.data, piece);
    t.grad = piece_of(gradients[piece.weight].weight.data, piece);
    t.decayed = is_matrix(w.info.kind);
    parameters_.push_back(t);
  }
  squares_ = memory_.allocate(DType::f64, {1});
}

void Optimizer::copy_from(const Device& device, const Optimizer& from) {
  download_arena_later(device, memory_, from.memory_);
}

int64_t Optimizer::bytes(const Model& model, const std::vector<WeightPiece>& pieces) {
  return bytes(model.config, model.dtype, model.part, pieces);
}

int64_t Optimizer::bytes(const Config& config, DType dtype, const ModelPart& part,
                         const std::vector<WeightPiece>& pieces) {
  const std::vector<NamedWeight> weights = list_weights(config, {}, part);
  Arena plan;
  for (const WeightPiece& piece : pieces)
    if (const WeightInfo& info = weights[piece.weight].info; is_trained(info))
      allocate_state(plan, storage_type(info, dtype), piece.count);
  return plan.used();
}

void Optimizer::start_from(const Device& device, const Weights& exact) {
  const std::vector<NamedWeight> from = list_weights(model_.config, exact, model_.part);
  Staging read(device), write(device);
  for (size_t i = 0; i < from.size(); ++i) {
    const Tensor &w = weights_[i].weight.data, &x = from[i].weight.data;
    if (w.data == x.data) continue;
    if (w.dtype == x.dtype)
      copy(device, w, x);
    else
      write.write(w, [&](const Tensor& host) { copy_tensor(read.read(x), host, "weights"); });
  }
  for (size_t i = 0; i < pieces_.size(); ++i)
    if (parameters_[i].master)
      copy(device, parameters_[i].master, piece_of(from[pieces_[i].weight].weight.data, pieces_[i]));
}

double Optimizer::sum_of_squares(Device& device) {
  clear(device, squares_);
  std::vector<Tensor> gradients;
  for (const AdamWTensor& p : parameters_) gradients.push_back(p.grad);
  sum_squares(device, {.sum = squares_, .all = gradients});
  double total = 0;
  download(device, Tensor(&total, DType::f64, {1}), squares_);
  return total;
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

std::vector<SliceToRead> Optimizer::slices_of(const std::string& prefix, Tensor AdamWTensor::*member) const {
  std::vector<SliceToRead> all;
  for (size_t i = 0; i < pieces_.size(); ++i)
    if (const Tensor& t = parameters_[i].*member)
      append_stored_slices(all, prefix, weights_[pieces_[i].weight].info, pieces_[i].first, t);
  return all;
}

std::vector<SliceToRead> Optimizer::state() const {
  std::vector<SliceToRead> all;
  for (const auto& [prefix, member] :
       {std::pair("m.", &AdamWTensor::m), {"v.", &AdamWTensor::v}, {"master.", &AdamWTensor::master}})
    for (SliceToRead& slice : slices_of(prefix, member)) all.push_back(std::move(slice));
  return all;
}

std::vector<TensorSlice> Optimizer::weight_slices() const {
  std::vector<SliceToRead> all = slices_of("", &AdamWTensor::w);
  if (model_.config.lora) return read_only(all);
  for (const WeightPiece& piece : fixed_) {
    const NamedWeight& w = weights_[piece.weight];
    append_stored_slices(all, "", w.info, piece.first, piece_of(w.weight.data, piece));
  }
  return read_only(all);
}

std::vector<TensorSlice> Optimizer::slices() const {
  return read_only(state());
}

void Optimizer::load(const Device& device, const std::string& path) {
  std::vector<SliceToRead> without_master;
  for (size_t i = 0; i < pieces_.size(); ++i)
    if (!parameters_[i].master)
      append_stored_slices(without_master, "master.", weights_[pieces_[i].weight].info, pieces_[i].first,
                           parameters_[i].w);
  read_optimizer_file(device, path, model_.config, model_.dtype, state(), without_master);
}

}  // namespace fathom
