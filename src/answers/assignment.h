// Pairs between two sides, each member in at most one, with the largest sum of weights.
#pragma once
#include <cstddef>
#include <vector>

namespace fathom {

// `weights[i][j]` >= 0 for a pair (i, j); rows of the same length. In O(rows^2 * columns) for the smaller
// side as rows (the Hungarian method with potentials: Kuhn 1955, Munkres 1957).
double largest_assignment(const std::vector<std::vector<double>>& weights);

}  // namespace fathom
