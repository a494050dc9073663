#include "comm/mpi/share_reduction.h"

#include <algorithm>
#include <numeric>

#include "comm/reduce.h"

namespace fathom::mpi {
namespace {

// Elements that are received from a rank at a time: the same on all ranks.
int64_t piece_elements(const Group& g, DType dtype) {
  const int64_t bytes = std::min(g.limits.buffer_bytes / std::max(g.size - 1, 1), g.limits.message_bytes);
  return std::max<int64_t>(bytes / size_of(dtype), 1);
}

}  // namespace

ShareReduction::ShareReduction(const Group& group, int tag, const Tensor& out, const ConstTensor& in,
                               std::span<const int64_t> elements, Reduction reduction)
    : group_(group),
      tag_(tag),
      reduction_(reduction),
      dtype_(in.dtype),
      out_(static_cast<std::byte*>(out.data)),
      mine_(nullptr),
      share_(elements[group.rank]),
      piece_(piece_elements(group, in.dtype)),
      sends_(group.comm, piece_ * size_of(in.dtype)),
      receives_(group.comm, piece_ * size_of(in.dtype)) {
  const int64_t size = size_of(dtype_);
  auto share = static_cast<const std::byte*>(in.data);
  for (int r = 0; r < group.size; ++r) {
    if (r == group.rank)
      mine_ = share;
    else
      sends_.send(ConstRows(share, elements[r], size, size), r, tag);
    share += elements[r] * size;
  }
  buffer_.resize(static_cast<size_t>(std::min(piece_, share_) * size * (group.size - 1)));
  receive_piece();
}

void ShareReduction::receive_piece() {
  const int64_t size = size_of(dtype_), n = std::min(piece_, share_ - begin_);
  std::byte* place = buffer_.data();
  for (int r = 0; r < group_.size; ++r) {
    if (r == group_.rank) continue;
    receives_.receive(Rows(place, n, size, size), r, tag_);
    place += n * size;
  }
}

void ShareReduction::reduce_piece() {
  const int64_t size = size_of(dtype_), n = std::min(piece_, share_ - begin_);
  std::vector<const void*> parts(group_.size);
  const std::byte* place = buffer_.data();
  for (int r = 0; r < group_.size; ++r) {
    parts[r] = r == group_.rank ? mine_ + begin_ * size : place;
    if (r != group_.rank) place += n * size;
  }
  reduce_in_order(dtype_, reduction_, out_ + begin_ * size, parts, n, group_.threads);
}

bool ShareReduction::advance() {
  while (!reduced_) {
    if (!receives_.done()) return false;
    reduce_piece();
    begin_ += piece_;
    reduced_ = begin_ >= share_;
    if (!reduced_) receive_piece();
  }
  return sends_.done();
}

}  // namespace fathom::mpi
