#include "comm/mpi/mpi_backend.h"

#include <cassert>
#include <climits>
#include <exception>

namespace fathom::mpi {
namespace {

// Done when everything posted at its start has arrived.
class Transfer : public MpiOperation {
 public:
  Transfer(Progress& progress, const Group& g)
      : MpiOperation(progress), messages(g.comm, g.limits.message_bytes) {}
  Messages messages;

 private:
  bool advance(bool) override { return messages.done(); }
};

// Every other rank's rows into `out`, this rank's to every other.
void exchange_shares(Messages& messages, const Group& g, int tag, const Rows& out, RowCounts rows) {
  const std::vector<int64_t> begin = row_offsets(rows);
  const ConstRows own(out.slice(begin[g.rank], rows[g.rank]));
  for (int r = 0; r < g.size; ++r) {
    if (r == g.rank) continue;
    messages.receive(out.slice(begin[r], rows[r]), r, tag);
    messages.send(own, r, tag);
  }
}

class ReduceScatterOperation : public MpiOperation {
 public:
  ReduceScatterOperation(Progress& progress, const Group& g, int tag, const ReduceScatter& a,
                         const std::vector<int64_t>& elements)
      : MpiOperation(progress), reduction_(g, tag, a.out, a.in, elements, a.reduction) {}

 private:
  bool advance(bool beside) override { return reduction_.advance(beside); }
  ShareReduction reduction_;
};

// Every rank reduces a share of x in place and sends it to all.
class AllReduceOperation : public MpiOperation {
 public:
  AllReduceOperation(Progress& progress, const Group& g, int tag, const AllReduce& a)
      : MpiOperation(progress),
        group_(g),
        tag_(tag),
        all_(static_cast<std::byte*>(a.x.data), a.x.count(), size_of(a.x.dtype), size_of(a.x.dtype)),
        shares_(even_shares(a.x.count(), g.size)),
        reduction_(g, tag, own_share(a.x), a.x, shares_, a.reduction),
        shares_sent_(g.comm, g.limits.message_bytes) {}

 private:
  static std::vector<int64_t> even_shares(int64_t n, int size) {
    std::vector<int64_t> shares(size);
    for (int r = 0; r < size; ++r) shares[r] = n * (r + 1) / size - n * r / size;
    return shares;
  }
  Tensor own_share(const Tensor& x) const {
    const int64_t begin = x.count() * group_.rank / group_.size;
    return x.reshape({x.count()}).slice(begin, shares_[group_.rank]);
  }
  bool advance(bool beside) override {
    if (!reduced_) {
      if (!reduction_.advance(beside)) return false;
      reduced_ = true;
      exchange_shares(shares_sent_, group_, tag_, all_, shares_);
    }
    return shares_sent_.done();
  }

  const Group group_;
  const int tag_;
  const Rows all_;
  const std::vector<int64_t> shares_;
  ShareReduction reduction_;
  Messages shares_sent_;
  bool reduced_ = false;
};

}  // namespace

MpiBackend::MpiBackend(MPI_Comm comm, Progress& progress, int threads, const CommLimits& limits)
    : progress_(progress) {
  assert(limits.message_bytes > 0 && limits.message_bytes <= INT_MAX && limits.reduced_bytes > 0);
  group_ = {.comm = comm, .rank = 0, .size = 1, .threads = threads, .limits = limits};
  mpi_check(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "choosing how errors are told");
  mpi_check(MPI_Comm_rank(comm, &group_.rank), "asking for the rank");
  mpi_check(MPI_Comm_size(comm, &group_.size), "asking for the number of ranks");
}

// Freeing needs all ranks, who will not come while an exception passes here.
MpiBackend::~MpiBackend() {
  if (std::uncaught_exceptions() > 0) return;
  const auto locked = progress_.lock();
  MPI_Comm_free(&group_.comm);
}

std::unique_ptr<CommBackend> MpiBackend::split(int color, int key) {
  assert(progress_.idle() && "a split while a collective is pending");
  MPI_Comm part = MPI_COMM_NULL;
  mpi_check(MPI_Comm_split(group_.comm, color, key, &part), "splitting a group");
  return std::make_unique<MpiBackend>(part, progress_, group_.threads, group_.limits);
}

// Behind those of messages between two ranks. Reductions of which one has ended everywhere before a million
// others are started cannot be mixed up.
int MpiBackend::next_tag() {
  return max_tag + 1 + static_cast<int>(collectives_++ & max_tag);
}

std::unique_ptr<Operation> MpiBackend::start(const AllReduce& a) {
  const auto locked = progress_.lock();
  return progress_.begin(std::make_unique<AllReduceOperation>(progress_, group_, next_tag(), a));
}

std::unique_ptr<Operation> MpiBackend::start(const ReduceScatter& a) {
  const ConstRows all(a.in);
  std::vector<int64_t> elements = row_counts(a.rows, size(), all.rows / size());
  for (int64_t& n : elements) n *= all.row_bytes / size_of(a.in.dtype);
  const auto locked = progress_.lock();
  return progress_.begin(
      std::make_unique<ReduceScatterOperation>(progress_, group_, next_tag(), a, elements));
}

std::unique_ptr<Operation> MpiBackend::start(const AllGather& a) {
  const Rows all(a.out);
  const std::vector<int64_t> rows = row_counts(a.rows, size(), all.rows / size());
  copy_rows(all.slice(row_offsets(rows)[rank()], rows[rank()]), ConstRows(a.in));
  const auto locked = progress_.lock();
  auto transfer = std::make_unique<Transfer>(progress_, group_);
  exchange_shares(transfer->messages, group_, next_tag(), all, rows);
  return progress_.begin(std::move(transfer));
}

std::unique_ptr<Operation> MpiBackend::start(const AllToAll& a) {
  const auto locked = progress_.lock();
  auto transfer = std::make_unique<Transfer>(progress_, group_);
  const int tag = next_tag();
  const Rows out(a.out);
  const ConstRows in(a.in);
  const std::vector<int64_t> out_begin = row_offsets(a.out_rows), in_begin = row_offsets(a.in_rows);
  for (int r = 0; r < size(); ++r) {
    const Rows to = out.slice(out_begin[r], a.out_rows[r]);
    const ConstRows from = in.slice(in_begin[r], a.in_rows[r]);
    if (r == rank()) {
      copy_rows(to, from);
      continue;
    }
    transfer->messages.receive(to, r, tag);
    transfer->messages.send(from, r, tag);
  }
  return progress_.begin(std::move(transfer));
}

std::unique_ptr<Operation> MpiBackend::start(const Broadcast& a) {
  const auto locked = progress_.lock();
  auto transfer = std::make_unique<Transfer>(progress_, group_);
  transfer->messages.broadcast(Rows(a.x), a.root);
  return progress_.begin(std::move(transfer));
}

std::unique_ptr<Operation> MpiBackend::start(const Exchange& a) {
  const auto locked = progress_.lock();
  auto transfer = std::make_unique<Transfer>(progress_, group_);
  for (const Receive& r : a.receives) transfer->messages.receive(Rows(r.x), r.from, r.tag);
  for (const Send& s : a.sends) transfer->messages.send(ConstRows(s.x), s.to, s.tag);
  return progress_.begin(std::move(transfer));
}

}  // namespace fathom::mpi
