// What a page may have of a run's texts: some of many.
#pragma once
#include <utility>
#include <vector>

namespace fathom {

// Evenly chosen, the last one among them.
template <class T>
std::vector<T> thinned(std::vector<T> all, size_t most) {
  if (all.size() <= most) return all;
  std::vector<T> kept;
  for (size_t i = 0; i < most; ++i) kept.push_back(std::move(all[(i + 1) * all.size() / most - 1]));
  return kept;
}

}  // namespace fathom
