#include "train/stored_slices.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <span>

#include "model/checkpoint_layout.h"

namespace fathom {
namespace {

int64_t count_of(std::span<const int64_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// The element of the weight that a stored part of it begins with.
int64_t begin_of(const StoredPart& part, const WeightInfo& info) {
  const std::span<const int64_t> shape = info.shape;
  const int64_t expert = part.expert < 0 ? 0 : part.expert * count_of(shape.subspan(1));
  return expert + part.first_row * part.columns();
}

}  // namespace

void append_stored_slices(std::vector<SliceToRead>& slices, const std::string& prefix, const WeightInfo& info,
                          int64_t first, const Tensor& values) {
  const int64_t end = first + values.count();
  for (const StoredPart& part : stored_parts(info)) {
    const int64_t part_begin = begin_of(part, info), part_end = part_begin + part.rows * part.columns();
    const int64_t from = std::max(first, part_begin), to = std::min(end, part_end);
    if (from < to)
      slices.push_back({prefix + part.name, part.stored_row * part.columns() + from - part_begin,
                        values.slice(from - first, to - from)});
  }
}

}  // namespace fathom
