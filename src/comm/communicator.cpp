#include "comm/communicator.h"

#include <numeric>

#include "base/error.h"
#include "comm/identity.h"
#include "comm/rows.h"

namespace fathom {
namespace {

void check_contiguous(const char* what, const ConstTensor& t) {
  check(t.contiguous(), "{} must be contiguous: {} has rows {} elements apart", what, t.shape_text(),
        t.row_stride);
}

void check_reducible(const char* what, const ConstTensor& t) {
  check_contiguous(what, t);
  check(t.dtype != DType::f16, "{} is f16: ranks reduce f32, f64, bf16, i32 and i64", what);
}

// Rows of this type and size, as many as the counts name.
void check_rows(const char* what, const ConstTensor& t, const ConstTensor& other, int64_t expected) {
  const ConstRows rows(t), others(other);
  check(t.dtype == other.dtype && rows.row_bytes == others.row_bytes,
        "{}: rows of {} and of {} are not of one type and size", what, t.shape_text(), other.shape_text());
  check(rows.rows == expected, "{}: {} has {} rows where the counts say {}", what, t.shape_text(), rows.rows,
        expected);
}

void check_counts(const char* what, RowCounts counts, int size) {
  check(static_cast<int>(counts.size()) == size, "{}: {} row counts for {} ranks", what, counts.size(), size);
  for (int64_t n : counts) check(n >= 0, "{}: a row count is {}", what, n);
}

int64_t total(RowCounts counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

// `all` has every rank's rows, `mine` this rank's.
void check_shares(const char* what, const ConstTensor& all, const ConstTensor& mine, RowCounts counts,
                  int rank, int size) {
  check_contiguous(what, all), check_contiguous(what, mine);
  if (counts.empty()) return check_rows(what, all, mine, ConstRows(mine).rows * size);
  check_counts(what, counts, size);
  check_rows(what, mine, all, counts[rank]);
  check_rows(what, all, mine, total(counts));
}

void check_peer(const char* what, int peer, int tag, int rank, int size) {
  check(peer >= 0 && peer < size && peer != rank, "{}: rank {} of {} cannot name rank {}", what, rank, size,
        peer);
  check(tag >= 0 && tag <= max_tag, "{}: the tag is {}: expected 0 to {}", what, tag, max_tag);
}

}  // namespace

Communicator Communicator::alone(const Device& device) {
  Communicator host(std::make_unique<IdentityBackend>(nullptr));
  if (device.on_host()) return host;
  return Communicator(std::make_unique<IdentityBackend>(&device),
                      std::make_unique<Communicator>(std::move(host)));
}

Communicator Communicator::split(int color, int key) {
  check(color >= 0, "a group's color is {}: it must not be negative", color);
  auto host = host_ ? std::make_unique<Communicator>(host_->split(color, key)) : nullptr;
  return Communicator(backend_->split(color, key), std::move(host), profiled_);
}

// Its result needs every rank.
void Communicator::barrier() {
  int32_t nothing = 0;
  host().run(AllReduce{.x = Tensor(&nothing, DType::i32, {1})});
}

// To start takes time of its own: own rows are copied, messages packed.
template <class Arguments>
Pending Communicator::launch(const char* name, int64_t bytes, const Arguments& a) {
  const Collective collective = {profiled_, name, static_cast<double>(bytes)};
  Profile* profile = collective.profile();
  if (!profile) return Pending(backend_->start(a), collective);
  const size_t begin = profile->mark();
  Pending pending(backend_->start(a), collective);
  profile->add_wait(name, begin, profile->mark());
  return pending;
}

Pending Communicator::start(const AllReduce& a) {
  check_reducible("all-reduce", a.x);
  return launch("all-reduce", a.x.bytes(), a);
}

Pending Communicator::start(const ReduceScatter& a) {
  check_reducible("reduce-scatter", a.in);
  check_shares("reduce-scatter", a.in, a.out, a.rows, rank(), size());
  return launch("reduce-scatter", a.in.bytes(), a);
}

Pending Communicator::start(const AllGather& a) {
  check_shares("all-gather", a.out, a.in, a.rows, rank(), size());
  return launch("all-gather", a.out.bytes(), a);
}

Pending Communicator::start(const AllToAll& a) {
  check_counts("all-to-all, received", a.out_rows, size());
  check_counts("all-to-all, sent", a.in_rows, size());
  check_rows("all-to-all, received", a.out, a.in, total(a.out_rows));
  check_rows("all-to-all, sent", a.in, a.out, total(a.in_rows));
  check(a.out_rows[rank()] == a.in_rows[rank()], "all-to-all: rank {} sends itself {} rows and expects {}",
        rank(), a.in_rows[rank()], a.out_rows[rank()]);
  return launch("all-to-all", a.in.bytes(), a);
}

Pending Communicator::start(const Broadcast& a) {
  check_contiguous("broadcast", a.x);
  check(a.root >= 0 && a.root < size(), "broadcast: there is no rank {} among {}", a.root, size());
  return launch("broadcast", a.x.bytes(), a);
}

Pending Communicator::start(const Exchange& a) {
  for (const Send& s : a.sends) check_peer("send", s.to, s.tag, rank(), size());
  for (const Receive& r : a.receives) check_peer("receive", r.from, r.tag, rank(), size());
  int64_t bytes = 0;
  for (const Send& s : a.sends) bytes += s.x.bytes();
  for (const Receive& r : a.receives) bytes += r.x.bytes();
  return launch(a.receives.empty() ? "send" : a.sends.empty() ? "receive" : "exchange", bytes, a);
}

}  // namespace fathom
