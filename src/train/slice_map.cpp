#include "train/slice_map.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/error.h"

namespace fathom {
namespace {

static_assert(sizeof(MappedSlice) == 4 * sizeof(int64_t));  // they travel as rows of numbers

Tensor rows_of(std::vector<MappedSlice>& slices) {
  return {slices.data(), DType::i64, {static_cast<int64_t>(slices.size()), 4}};
}

std::vector<MappedSlice> gather(Communicator& ranks, std::vector<MappedSlice> mine) {
  auto n = static_cast<int64_t>(mine.size());
  std::vector<int64_t> counts(ranks.size());
  ranks.run(
      AllGather{.out = Tensor(counts.data(), DType::i64, {ranks.size()}), .in = Tensor(&n, DType::i64, {1})});
  std::vector<MappedSlice> all(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  ranks.run(AllGather{.out = rows_of(all), .in = rows_of(mine), .rows = counts});
  return all;
}

}  // namespace

std::vector<MappedSlice> map_slices(Communicator& ranks, const std::vector<SliceWriter::Piece>& mine) {
  std::vector<MappedSlice> own;
  for (const SliceWriter::Piece& p : mine) own.push_back({p.tensor, p.first, p.values.count(), ranks.rank()});
  std::vector<MappedSlice> all = gather(ranks.host(), std::move(own));
  std::sort(all.begin(), all.end(), [](const MappedSlice& a, const MappedSlice& b) {
    return std::tie(a.tensor, a.first, a.count) < std::tie(b.tensor, b.first, b.count);
  });
  return all;
}

// The slices of each tensor follow one another from its first element to its last.
void check_complete(const TensorFiles& files, const std::vector<MappedSlice>& map) {
  auto slice = map.begin();
  for (int64_t tensor = 0; tensor < files.count(); ++tensor) {
    const StoredTensor& t = files.tensor(tensor);
    const auto begin = slice;
    int64_t at = 0;
    for (; slice != map.end() && slice->tensor == tensor && slice->first <= at; ++slice) {
      check(slice->first == at, "tensor '{}': rank {} and rank {} both write element {}", t.name,
            slice == begin ? 0 : (slice - 1)->rank, slice->rank, slice->first);
      at += slice->count;
    }
    const bool more = slice != map.end() && slice->tensor == tensor;
    check(slice != begin && at == t.count(), "tensor '{}' of {} elements: no rank writes {} to {}", t.name,
          t.count(), at, (more ? slice->first : t.count()) - 1);
  }
}

}  // namespace fathom
