#include "answers/assignment.h"

#include <limits>

namespace fathom {
namespace {

// Costs of rows x columns, no more rows than columns; both count from 1, place 0 stands for "none".
class Hungarian {
 public:
  Hungarian(size_t rows, size_t columns)
      : row_potential_(rows + 1), column_potential_(columns + 1), row_of_(columns + 1) {}

  // Adds a row: a shortest path of reduced costs to a free column, along which pairs are exchanged.
  template <class Cost>
  void add(size_t row, const Cost& cost) {
    const size_t columns = row_of_.size();
    std::vector<double> distance(columns, std::numeric_limits<double>::infinity());
    std::vector<size_t> before(columns);
    std::vector<bool> done(columns);
    row_of_[0] = row;
    size_t at = 0;
    do {
      done[at] = true;
      const size_t r = row_of_[at];
      size_t nearest = 0;
      for (size_t c = 1; c < columns; ++c) {
        if (done[c]) continue;
        const double reduced = cost(r, c) - row_potential_[r] - column_potential_[c];
        if (reduced < distance[c]) distance[c] = reduced, before[c] = at;
        if (nearest == 0 || distance[c] < distance[nearest]) nearest = c;
      }
      const double step = distance[nearest];
      for (size_t c = 0; c < columns; ++c) {
        if (done[c])
          row_potential_[row_of_[c]] += step, column_potential_[c] -= step;
        else
          distance[c] -= step;
      }
      at = nearest;
    } while (row_of_[at] != 0);
    for (; at != 0; at = before[at]) row_of_[at] = row_of_[before[at]];
  }

  size_t row_of(size_t column) const { return row_of_[column]; }

 private:
  std::vector<double> row_potential_, column_potential_;
  std::vector<size_t> row_of_;  // of each column
};

}  // namespace

double largest_assignment(const std::vector<std::vector<double>>& weights) {
  if (weights.empty() || weights[0].empty()) return 0;
  const bool turned = weights.size() > weights[0].size();
  const size_t rows = turned ? weights[0].size() : weights.size();
  const size_t columns = turned ? weights.size() : weights[0].size();
  const auto weight = [&](size_t r, size_t c) {
    return turned ? weights[c - 1][r - 1] : weights[r - 1][c - 1];
  };
  Hungarian pairs(rows, columns);
  for (size_t r = 1; r <= rows; ++r) pairs.add(r, [&](size_t row, size_t c) { return -weight(row, c); });
  double sum = 0;
  for (size_t c = 1; c <= columns; ++c)
    if (pairs.row_of(c) != 0) sum += weight(pairs.row_of(c), c);
  return sum;
}

}  // namespace fathom
