#include "train/step_totals.h"

#include <algorithm>
#include <span>

#include "ops/sum.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

constexpr int64_t levels = 3;  // of balance losses

// Counts that went through an all-reduce of f64.
std::vector<int32_t> counts_of(std::span<const double>& sums, int64_t n) {
  const auto first = sums.first(static_cast<size_t>(n));
  sums = sums.subspan(static_cast<size_t>(n));
  return {first.begin(), first.end()};
}

}  // namespace

StepTotals::StepTotals(const Device& device, const Config& c) {
  const int64_t L = c.num_hidden_layers, E = c.n_routed_experts, D = c.expert_groups();
  memory_ = Arena("a step's report", 4 * L * (E + D + 1) + 512, device);
  losses_ = memory_.allocate(DType::f64, {1 + levels});
  counts_ = memory_.allocate(DType::i32, {L * (E + D + 1)});
  choices_ = {.experts = counts_.slice(0, L * E).reshape({L, E}),
              .groups = counts_.slice(L * E, L * D).reshape({L, D}),
              .dropped = counts_.slice(L * (E + D), L)};
}

void StepTotals::clear(const Device& device) {
  fathom::clear(device, losses_), fathom::clear(device, counts_);
  shared_ = false;
}

void StepTotals::add(Device& device, const Tensor& losses, const Tensor& balance_losses) {
  if (losses && losses.count() > 0) sum(device, {.sum = losses_.slice(0, 1), .x = losses});
  for (int64_t level = 0; balance_losses && level < levels; ++level)
    sum(device, {.sum = losses_.slice(1 + level, 1), .x = balance_losses.slice(level, 1)});
}

void StepTotals::share_counts(RankGroups& ranks) {
  if (shared_) return;
  const int64_t n = choices_.experts.count() + choices_.groups.count();
  ranks.replicas().run(AllReduce{.x = counts_.slice(0, n)});
  shared_ = true;
}

// One all-reduce of numbers that f64 holds exactly, but for the losses and the squares.
StepSums StepTotals::read(Device& device, RankGroups& ranks, Optimizer& optimizer) {
  std::vector<int32_t> counts(static_cast<size_t>(counts_.count()));
  std::vector<double> sums(static_cast<size_t>(losses_.count()));
  download_later(device, Tensor(sums.data(), DType::f64, {losses_.count()}), losses_);
  download_later(device, Tensor(counts.data(), DType::i32, {counts_.count()}), counts_);
  const double squares = optimizer.sum_of_squares(device);  // waits
  const int64_t E = choices_.experts.count(), D = choices_.groups.count();
  if (shared_ && ranks.replica().rank > 0) std::fill_n(counts.begin(), E + D, 0);
  sums.push_back(squares);
  const size_t first = sums.size();
  sums.insert(sums.end(), counts.begin(), counts.end());
  ranks.everyone().host().run(
      AllReduce{.x = Tensor(sums.data(), DType::f64, {static_cast<int64_t>(sums.size())})});

  std::span<const double> all = std::span(sums).subspan(first);
  StepSums result = {.loss = sums[0], .balance = {sums[1], sums[2], sums[3]}, .squares = sums[4], .load = {}};
  result.load.E = choices_.experts.cols(), result.load.D = choices_.groups.cols();
  result.load.experts = counts_of(all, E);
  result.load.sent = counts_of(all, D);
  result.load.dropped = counts_of(all, choices_.dropped.count());
  return result;
}

double StepTotals::loss(const Device& device) const {
  double total = 0;
  download(device, Tensor(&total, DType::f64, {1}), losses_.slice(0, 1));
  return total;
}

}  // namespace fathom
