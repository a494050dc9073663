#include "plan/search.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/progress.h"
#include "train/parallel_plan.h"

namespace fathom {
namespace {

constexpr std::array parts = {&Recompute::norms, &Recompute::swiglu, &Recompute::up_projections,
                              &Recompute::attention, &Recompute::dispatch};
constexpr std::array part_names = {"norms", "swiglu", "up_projections", "attention", "dispatch"};

// The fastest plan of one product.
class ProductSearch {
 public:
  ProductSearch(const PlanTask& task, const Product& product) : task_(task), row_{product, {}, {}} {}

  PlanRow run(const std::vector<int64_t>& micro_batches) {
    std::vector<ScheduleKind> kinds = {ScheduleKind::one_f_one_b};
    if (row_.product.pipeline > 1) kinds.assign(schedule_kinds.begin(), schedule_kinds.end());
    for (const int64_t micro_batch : micro_batches) {
      bool fits = false;
      for (const ScheduleKind kind : kinds) fits |= try_schedule(micro_batch, kind);
      if (!fits) break;  // a larger one takes more
    }
    return std::move(row_);
  }

 private:
  bool fits(const Estimate& e) const {
    return static_cast<double>(e.largest().memory.total()) <= task_.cluster.gpu_memory;
  }
  bool is_better(double step) const { return !row_.best || step < row_.best->step() * (1 - 1e-9); }

  // With the least that is computed again so that it fits. Whether anything does.
  bool try_schedule(int64_t micro_batch, ScheduleKind kind) {
    const PlanChoice choice{row_.product, micro_batch, {}, kind};
    Estimate e = begin_estimate(task_, choice);
    const double least = total(e.slowest().times) * static_cast<double>(e.micro_batches);
    if (!is_better(least)) return true;  // larger micro-batches may still be better
    finish_estimate(task_, e);
    if (consider(e)) return true;
    for (const Recompute& recompute : by_time(choice)) {
      // As many micro-batches will be in flight as without recomputation, or nearly: first without the time.
      Estimate again = e;
      again.choice.recompute = recompute;
      add_working_memory(task_, again);
      note_smallest(again);
      if (!fits(again)) continue;
      again = estimate(task_, again.choice);
      if (consider(again)) return true;
    }
    return false;
  }

  // Whether it fits.
  bool consider(const Estimate& e) {
    note_smallest(e);
    if (fits(e) && is_better(e.step())) row_.best = e;
    return fits(e);
  }

  // What can be computed again, the fastest first.
  std::vector<Recompute> by_time(PlanChoice choice) const {
    std::vector<std::pair<double, Recompute>> all;
    for (const Recompute& recompute : recomputations(task_.config)) {
      choice.recompute = recompute;
      const bool moe = task_.config.n_moe_layers() > 0;
      all.push_back({recomputed_seconds(task_, choice, moe), recompute});
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Recompute> sorted;
    for (size_t i = 1; i < all.size(); ++i) sorted.push_back(all[i].second);  // the first is nothing
    return sorted;
  }

  void note_smallest(const Estimate& e) {
    if (row_.smallest.stages.empty() || e.largest().memory.total() < row_.smallest.largest().memory.total())
      row_.smallest = e;
  }

  const PlanTask& task_;
  PlanRow row_;
};

// Powers of two, the recipe's own, or the user's, up to a rank's share of a step.
std::vector<int64_t> micro_batch_sizes(const PlanTask& task, const Product& p, const SearchLimits& limits) {
  if (limits.micro_batch) return {*limits.micro_batch};
  const int64_t share = (task.recipe.batch.sequences + p.stage_ranks() - 1) / p.stage_ranks();
  std::vector<int64_t> sizes;
  for (int64_t size = 1; size <= share; size *= 2) sizes.push_back(size);
  const int64_t own = task.recipe.batch.micro_batch;
  if (own <= share && std::find(sizes.begin(), sizes.end(), own) == sizes.end()) {
    sizes.push_back(own);
    std::sort(sizes.begin(), sizes.end());
  }
  return sizes;
}

}  // namespace

std::vector<Product> products(const Config& c, int64_t gpus, const SearchLimits& limits) {
  // What does not divide all ranks, divides no stage's; where a flag is wrong, it is said here.
  parallel_plan(c, static_cast<int>(gpus), limits.pipeline.value_or(1), limits.expert.value_or(1));
  std::vector<Product> all;
  const int64_t most_stages = c.ties_head() ? 1 : c.num_hidden_layers,
                most_experts = c.n_moe_layers() > 0 ? c.n_routed_experts : 1;
  for (int64_t P = 1; P <= std::min(gpus, most_stages); ++P) {
    if (gpus % P != 0 || P != limits.pipeline.value_or(P)) continue;
    for (int64_t E = 1; E <= std::min(gpus / P, most_experts); ++E)
      if (gpus / P % E == 0 && most_experts % E == 0 && E == limits.expert.value_or(E))
        all.push_back({P, E, gpus / P / E});
  }
  return all;
}

std::vector<Recompute> recomputations(const Config& c) {
  std::vector<Recompute> all;
  for (unsigned set = 0; set < 1u << parts.size(); ++set) {
    Recompute recompute;
    for (size_t i = 0; i < parts.size(); ++i) recompute.*parts[i] = (set >> i & 1) != 0;
    if (!recompute.dispatch || c.n_moe_layers() > 0) all.push_back(recompute);
  }
  all.push_back({.layers = c.num_hidden_layers});
  return all;
}

std::vector<Recompute> single_recomputations(const Config& c) {
  std::vector<Recompute> all = recomputations(c);
  std::erase_if(all, [](const Recompute& recompute) {
    return std::ranges::count_if(parts, [&](auto part) { return recompute.*part; }) +
               (recompute.layers > 0) !=
           1;
  });
  return all;
}

std::string text_of(const Recompute& recompute) {
  if (recompute.layers > 0) return "whole layers";
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i)
    if (recompute.*parts[i]) text += (text.empty() ? "" : ", ") + std::string(part_names[i]);
  return text.empty() ? "nothing" : text;
}

std::vector<PlanRow> search_plans(const PlanTask& task, const SearchLimits& limits) {
  std::vector<PlanRow> rows;
  for (const Product& product : products(task.config, task.cluster.gpus, limits))
    rows.push_back(ProductSearch(task, product).run(micro_batch_sizes(task, product, limits)));
  const auto least = std::min_element(rows.begin(), rows.end(), [](const PlanRow& a, const PlanRow& b) {
    return a.smallest.largest().memory.total() < b.smallest.largest().memory.total();
  });
  const bool any = std::any_of(rows.begin(), rows.end(), [](const PlanRow& r) { return r.best.has_value(); });
  if (any) return rows;
  const Product& p = least->product;
  fail(
      "no plan for {} GPUs fits {} each: the smallest, {} x {} x {} (pipeline x expert x data) with {} "
      "recomputed, needs {}",
      task.cluster.gpus, human_bytes(task.cluster.gpu_memory), p.pipeline, p.expert, p.data,
      text_of(least->smallest.choice.recompute),
      human_bytes(static_cast<double>(least->smallest.largest().memory.total())));
}

const PlanRow& fastest(const PlanTask& task, const std::vector<PlanRow>& rows) {
  return *std::max_element(rows.begin(), rows.end(), [&](const PlanRow& a, const PlanRow& b) {
    const auto speed = [&](const PlanRow& r) { return r.best ? tokens_per_second(task, *r.best) : 0; };
    return speed(a) < speed(b);
  });
}

}  // namespace fathom
