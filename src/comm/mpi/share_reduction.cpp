#include "comm/mpi/share_reduction.h"

#include <algorithm>

#include "comm/reduce.h"

namespace fathom::mpi {
namespace {

// The same on all ranks.
int64_t piece_elements(const CommLimits& limits, DType dtype) {
  return std::max<int64_t>(std::min(limits.reduced_bytes, limits.message_bytes) / size_of(dtype), 1);
}

}  // namespace

ShareReduction::ShareReduction(const Group& group, int tag, const Tensor& out, const ConstTensor& in,
                               const std::vector<int64_t>& elements, Reduction reduction)
    : group_(group),
      tag_(tag),
      reduction_(reduction),
      dtype_(in.dtype),
      begin_(row_offsets(elements)),
      piece_(piece_elements(group.limits, in.dtype)),
      out_(static_cast<std::byte*>(out.data)),
      in_(static_cast<const std::byte*>(in.data)),
      sends_{Messages(group.comm, piece_ * size_of(in.dtype)),
             Messages(group.comm, piece_ * size_of(in.dtype))},
      receives_(group.comm, piece_ * size_of(in.dtype)) {
  for (int r = 0; r < group.size; ++r) steps_ = std::max(steps_, pieces(r));
  buffer_ = std::make_unique_for_overwrite<std::byte[]>(
      static_cast<size_t>(piece(group.rank, 0).bytes() * (group.size - 1)));
  send_pieces(0);
  receive_pieces(0);
}

ConstRows ShareReduction::share(int rank) const {
  const int64_t size = size_of(dtype_);
  return ConstRows(in_ + begin_[rank] * size, begin_[rank + 1] - begin_[rank], size, size);
}

int64_t ShareReduction::pieces(int rank) const {
  return std::max<int64_t>((share(rank).rows + piece_ - 1) / piece_, 1);
}

ConstRows ShareReduction::piece(int rank, int64_t step) const {
  const ConstRows all = share(rank);
  return all.slice(step * piece_, std::min(piece_, all.rows - step * piece_));
}

void ShareReduction::send_pieces(int64_t step) {
  for (int r = 0; r < group_.size; ++r)
    if (r != group_.rank && step < pieces(r)) sends_[step % 2].send(piece(r, step), r, tag_);
}

void ShareReduction::receive_pieces(int64_t step) {
  if (step >= pieces(group_.rank)) return;
  const ConstRows mine = piece(group_.rank, step);
  std::byte* place = buffer_.get();
  for (int r = 0; r < group_.size; ++r) {
    if (r == group_.rank) continue;
    receives_.receive(Rows(place, mine.rows, mine.row_bytes, mine.stride), r, tag_);
    place += mine.bytes();
  }
}

void ShareReduction::reduce_piece(int64_t step, int threads) {
  if (step >= pieces(group_.rank)) return;
  const ConstRows mine = piece(group_.rank, step);
  std::vector<const void*> parts(group_.size);
  const std::byte* place = buffer_.get();
  for (int r = 0; r < group_.size; ++r) {
    parts[r] = r == group_.rank ? mine.data : place;
    if (r != group_.rank) place += mine.bytes();
  }
  reduce_in_order(dtype_, reduction_, out_ + step * piece_ * size_of(dtype_), parts, mine.rows, threads);
}

// The next step's pieces leave before this one's are added up.
bool ShareReduction::advance(bool beside) {
  for (; step_ < steps_; ++step_) {
    if (!receives_.done() || !sends_[(step_ + 1) % 2].done()) return false;
    send_pieces(step_ + 1);
    reduce_piece(step_, beside ? 1 : group_.threads);
    receive_pieces(step_ + 1);
  }
  return sends_[0].done() && sends_[1].done();
}

}  // namespace fathom::mpi
