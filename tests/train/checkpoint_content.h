// A small model and an optimizer's state of random numbers, and ways to deal them out to ranks.
#pragma once
#include <string>
#include <vector>

#include "model/checkpoint_layout.h"
#include "model/model_folder.h"
#include "support/small_model.h"
#include "train/optimizer_file.h"
#include "train/training_checkpoint.h"

namespace fathom::testing {

// The same on every rank.
class Content {
 public:
  Content(const Config& config, DType dtype)
      : model(random_model(config, dtype)),
        weights(slices_of_parts(checkpoint_parts(config, model.weights))),
        state_memory_("state", 3 * weight_bytes(config, stat_of(dtype)) + (1 << 20)) {
    Rng rng(3);
    for (const StoredTensor& t : optimizer_tensors(config, dtype)) {
      const Tensor values = state_memory_.allocate(t.dtype, {t.count()});
      for (int64_t i = 0; i < t.count(); ++i) values.as<float>()[i] = static_cast<float>(rng.normal());
      state.push_back({t.name, 0, values});
    }
  }

  std::vector<TensorSlice> all() const {
    std::vector<TensorSlice> both = weights;
    both.insert(both.end(), state.begin(), state.end());
    return both;
  }

  Model model;
  std::vector<TensorSlice> weights, state;  // whole tensors, or with grouped-query attention heads of them

 private:
  Arena state_memory_;
};

inline TensorSlice part_of(const TensorSlice& whole, int64_t begin, int64_t end) {
  return {whole.name, whole.first + begin,
          whole.values.reshape({whole.values.count()}).slice(begin, end - begin)};
}

enum class Deal { in_a_row, each_tensor, whole_tensors, all_on_the_last, scattered };
inline constexpr Deal deals[] = {Deal::in_a_row, Deal::each_tensor, Deal::whole_tensors,
                                 Deal::all_on_the_last, Deal::scattered};

// A rank's share of whole tensors.
inline std::vector<TensorSlice> dealt(const std::vector<TensorSlice>& whole, Deal deal, int rank, int ranks) {
  int64_t total = 0, before = 0, number = 0;
  for (const TensorSlice& t : whole) total += t.values.count();
  std::vector<TensorSlice> mine;
  const auto take = [&](const TensorSlice& t, int64_t begin, int64_t end) {
    begin = std::max<int64_t>(begin, 0), end = std::min(end, t.values.count());
    if (begin < end) mine.push_back(part_of(t, begin, end));
  };
  for (const TensorSlice& t : whole) {
    const int64_t n = t.values.count(), pieces = 2 * ranks + 1;
    if (deal == Deal::in_a_row)  // one range of all elements
      take(t, total * rank / ranks - before, total * (rank + 1) / ranks - before);
    if (deal == Deal::each_tensor) take(t, n * rank / ranks, n * (rank + 1) / ranks);
    if (deal == Deal::whole_tensors && number % ranks == rank) take(t, 0, n);
    if (deal == Deal::all_on_the_last && rank == ranks - 1) take(t, 0, n);
    if (deal == Deal::scattered)  // several pieces of one tensor, not one after another
      for (int64_t p = pieces - 1; p >= 0; --p)
        if ((p * p + number) % ranks == rank) take(t, n * p / pieces, n * (p + 1) / pieces);
    before += n, ++number;
  }
  return mine;
}

inline Recipe recipe_for(const std::string& output, DType dtype) {
  Recipe recipe;
  recipe.run.output = output, recipe.run.precision = dtype;
  return recipe;
}

}  // namespace fathom::testing
