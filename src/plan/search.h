// Which plans there are for so many GPUs, and the fastest of each kind that fits.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/estimate.h"

namespace fathom {

// What the user has decided already, as keys of a recipe.
struct SearchLimits {
  std::optional<int64_t> pipeline = {}, expert = {};  // parallel.*
  std::optional<int64_t> micro_batch = {};            // batch.micro_batch
};

struct PlanRow {
  Product product;
  std::optional<Estimate> best;  // the fastest that fits
  Estimate smallest;             // where none does: the one that needs least memory
};

// All products of stages and expert ranks, and of each the fastest over sizes of micro-batches,
// recomputation and schedules. Error naming the value when there is no product, or none fits: then with the
// memory that would do.
std::vector<PlanRow> search_plans(const PlanTask& task, const SearchLimits& limits);
// The row with the most tokens per second.
const PlanRow& fastest(const PlanTask& task, const std::vector<PlanRow>& rows);

// Products that divide ranks, layers and experts.
std::vector<Product> products(const Config& config, int64_t gpus, const SearchLimits& limits);

// Nothing, every set of parts, or whole layers.
std::vector<Recompute> recomputations(const Config& config);
// Each part alone, and whole layers.
std::vector<Recompute> single_recomputations(const Config& config);
// "norms, swiglu", "whole layers", "nothing"
std::string text_of(const Recompute& recompute);

}  // namespace fathom
