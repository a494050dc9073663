#include "train/not_finite.h"

#include <algorithm>
#include <cmath>

#include "comm/agreement.h"
#include "tensor/memory.h"
#include "train/trained_model.h"

namespace fathom {
namespace {

template <class T>
bool finite(const ConstTensor& host, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    if (!std::isfinite(static_cast<double>(static_cast<float>(host.as<T>()[i])))) return false;
  return true;
}

// Elements begin .. end-1 of weights or gradients, which are f32 or bf16 in training.
bool finite(const ConstTensor& host, int64_t begin, int64_t end) {
  return host.dtype == DType::bf16 ? finite<bf16>(host, begin, end) : finite<float>(host, begin, end);
}

}  // namespace

std::string first_not_finite(const Device& device, const WeightGroups& groups,
                             const std::vector<Tensor>& memory, bool but_own) {
  Staging staging(device);
  for (const GroupedWeight& w : groups.weights) {
    const Tensor& whole = memory[w.group];
    if (!whole) continue;
    const Share& share = groups.share_of(groups.groups[w.group]);
    const int64_t each = whole.count() / share.ranks, end = w.first + w.count;
    const int64_t own = but_own ? share.rank * each : end, own_end = but_own ? own + each : end;
    const ConstTensor host = staging.read(whole.slice(w.first, w.count));
    const auto place = [&](int64_t element) { return std::clamp(element, w.first, end) - w.first; };
    if (!finite(host, 0, place(own)) || !finite(host, place(own_end), w.count)) return w.info.name;
  }
  return {};
}

std::string origin_of_not_finite(const Device& device, RankGroups& ranks, const TrainedModel& trained,
                                 double loss_of_rank) {
  const auto first = [&](const std::string& what, const std::string& name) {
    return first_failure(ranks.everyone(), name.empty() ? name : what + name);
  };
  std::string origin = first("not finite in its weights: ", trained.weight_that_is_not_finite(device));
  if (origin.empty())
    origin = first("", ranks.alone() || std::isfinite(loss_of_rank)
                           ? ""
                           : fmt::format("the loss of its micro-batches is {}", loss_of_rank));
  if (origin.empty())
    origin = first("not finite in the gradients that it adds: ", trained.gradient_that_is_not_finite(device));
  return origin.empty() ? origin : fmt::format(" ({})", origin);
}

}  // namespace fathom
