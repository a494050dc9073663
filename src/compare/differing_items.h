// Items that two models score differently, with what was asked and what each of them said: for a page, in
// bounded number and size.
#pragma once
#include <cstdint>

#include "compare/comparison.h"

namespace fathom {

struct ItemLimits {
  size_t items = 600;                   // of a page, about
  size_t per_pair = 60;                 // of a task and two models, at most
  size_t prompt = 2500, output = 1500;  // bytes of one
};

// {TASK: {"metrics", "cap", "pairs": [[first, second, [[first better, second better], ...by metric]], ...],
// "items"}}: how many there are in all of each pair, and of each the first `cap`, evenly from both kinds,
// chosen by the headline. Judges' benchmarks have none.
OrderedJson differing_items_json(const Comparison& comparison, const ItemLimits& limits = {});

}  // namespace fathom
