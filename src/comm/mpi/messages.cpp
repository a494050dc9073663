#include "comm/mpi/messages.h"

#include <algorithm>

#include "base/error.h"

namespace fathom::mpi {
namespace {

// Memory as MPI counts it: bytes one after another, or rows of bytes with a stride.
class Layout {
 public:
  template <class Memory>
  explicit Layout(const RowsView<Memory>& r) {
    if (r.contiguous()) {
      count_ = static_cast<int>(r.bytes());
      return;
    }
    count_ = 1;
    mpi_check(MPI_Type_create_hvector(static_cast<int>(r.rows), static_cast<int>(r.row_bytes), r.stride,
                                      MPI_BYTE, &type_),
              "describing rows");
    mpi_check(MPI_Type_commit(&type_), "describing rows");
  }
  // MPI keeps the type for as long as a message uses it.
  ~Layout() {
    if (type_ != MPI_BYTE) MPI_Type_free(&type_);
  }
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;

  int count() const { return count_; }
  MPI_Datatype type() const { return type_; }

 private:
  MPI_Datatype type_ = MPI_BYTE;
  int count_ = 0;
};

// Calls use(rows) for pieces of at most `limit` bytes: of whole rows, or of one row where a row is longer.
template <class View, class Use>
void cut(const View& r, int64_t limit, const Use& use) {
  if (r.bytes() <= limit) return use(r);
  if (r.row_bytes <= limit) {
    const int64_t step = limit / r.row_bytes;
    for (int64_t i = 0; i < r.rows; i += step) use(r.slice(i, std::min(step, r.rows - i)));
    return;
  }
  for (int64_t i = 0; i < r.rows; ++i)
    for (int64_t at = 0; at < r.row_bytes; at += limit) {
      const int64_t n = std::min(limit, r.row_bytes - at);
      use(View(r.data + i * r.stride + at, 1, n, n));
    }
}

}  // namespace

MPI_Request& Messages::next(const Expected& expected) {
  expected_.push_back(expected);
  return requests_.emplace_back(MPI_REQUEST_NULL);
}

void Messages::send(const ConstRows& rows, int to, int tag) {
  cut(rows, message_bytes_, [&](const ConstRows& piece) {
    const Layout layout(piece);
    mpi_check(MPI_Isend(piece.data, layout.count(), layout.type(), to, tag, comm_, &next({to, -1})),
              "sending");
  });
}

void Messages::receive(const Rows& rows, int from, int tag) {
  cut(rows, message_bytes_, [&](const Rows& piece) {
    const Layout layout(piece);
    mpi_check(
        MPI_Irecv(piece.data, layout.count(), layout.type(), from, tag, comm_, &next({from, piece.bytes()})),
        "receiving");
  });
}

void Messages::broadcast(const Rows& rows, int root) {
  cut(rows, message_bytes_, [&](const Rows& piece) {
    mpi_check(
        MPI_Ibcast(piece.data, static_cast<int>(piece.bytes()), MPI_BYTE, root, comm_, &next({root, -1})),
        "broadcasting");
  });
}

bool Messages::done() {
  if (requests_.empty()) return true;
  int flag = 0;
  statuses_.resize(requests_.size());
  const int result =
      MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &flag, statuses_.data());
  if (result == MPI_SUCCESS && !flag) return false;
  check_arrivals(result);
  requests_.clear(), expected_.clear();
  return true;
}

void Messages::check_arrivals(int result) const {
  for (size_t i = 0; i < statuses_.size(); ++i) {
    const Expected& e = expected_[i];
    const int status = result == MPI_ERR_IN_STATUS ? statuses_[i].MPI_ERROR : result;
    check(status != MPI_ERR_TRUNCATE, "rank {} of the group sent more than the {} bytes expected", e.from,
          e.bytes);
    if (status == MPI_ERR_PENDING) continue;
    mpi_check(status, "a message");
    if (e.bytes < 0) continue;
    int arrived = 0;
    mpi_check(MPI_Get_elements(&statuses_[i], MPI_BYTE, &arrived), "measuring a message");
    check(arrived == e.bytes, "rank {} of the group sent {} bytes where {} were expected", e.from, arrived,
          e.bytes);
  }
}

}  // namespace fathom::mpi
