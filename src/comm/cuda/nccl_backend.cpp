#include "comm/cuda/nccl_backend.h"

#include <algorithm>
#include <exception>
#include <numeric>

#include "base/error.h"
#include "comm/nccl.h"
#include "tensor/cuda/context.h"

namespace fathom {
namespace cuda {
namespace {

ncclDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return ncclFloat64;
    case DType::f32:
      return ncclFloat32;
    case DType::bf16:
      return ncclBfloat16;
    case DType::f16:
      return ncclFloat16;
    case DType::i32:
      return ncclInt32;
    case DType::i64:
      return ncclInt64;
  }
  return ncclUint8;
}

ncclRedOp_t reduction_of(Reduction reduction, DType dtype) {
  check(reduction == Reduction::max || dtype != DType::bf16,
        "NCCL rounds a sum in bf16 at each of its steps: reduce in f32");
  return reduction == Reduction::sum ? ncclSum : ncclMax;
}

size_t count_of(int64_t n) {
  return static_cast<size_t>(n);
}

bool equal(RowCounts rows) {
  return std::adjacent_find(rows.begin(), rows.end(), std::not_equal_to<>()) == rows.end();
}

}  // namespace

class NcclBackend::InStream : public Operation {
 public:
  InStream(NcclBackend& backend) : backend_(backend) {
    cuda_check(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming), "creating an event");
  }
  ~InStream() override { cudaEventDestroy(done_); }
  InStream(const InStream&) = delete;
  InStream& operator=(const InStream&) = delete;

  // Launches in the backend's stream, between two marks while a profile is attached.
  template <class Launch>
  void run(const Launch& launch) {
    Profile* profile = backend_.device_.profile();
    if (!profile) return launch();
    const size_t begin = profile->mark_in(backend_.stream_);
    launch();
    under_way_ = Profile::Span{begin, profile->mark_in(backend_.stream_)};
    profile_made_ = profile->made();
  }
  void mark_end() { cuda_check(cudaEventRecord(done_, backend_.stream_), "recording an event"); }
  void wait() override {
    backend_.check_health();
    CudaContext& context = backend_.device_.cuda_context();
    context.wait_for(done_);
    context.finish_op("a collective");
  }
  void abandon() noexcept override { backend_.abort(); }
  std::optional<Profile::Span> under_way(const Profile& profile) const override {
    return profile.made() == profile_made_ ? under_way_ : std::nullopt;
  }

 private:
  NcclBackend& backend_;
  cudaEvent_t done_ = nullptr;
  std::optional<Profile::Span> under_way_;
  Profile::HostTime profile_made_;
};

NcclBackend::NcclBackend(const Device& device, const NcclLibrary& nccl, ncclComm_t comm, int rank, int size)
    : device_(device), nccl_(nccl), comm_(comm), rank_(rank), size_(size) {
  cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
  cuda_check(cudaEventCreateWithFlags(&ready_, cudaEventDisableTiming), "creating an event");
}

// While an exception passes, others may never come to what is under way.
NcclBackend::~NcclBackend() {
  if (std::uncaught_exceptions() > 0) abort();
  const CudaContext::HostWait waiting(device_.cuda_context());
  cudaStreamSynchronize(stream_);
  if (comm_) nccl_.destroy(comm_);
  cudaEventDestroy(ready_);
  cudaStreamDestroy(stream_);
}

void NcclBackend::abort() noexcept {
  if (comm_) nccl_.abort(comm_);
  comm_ = nullptr;
}

void NcclBackend::check_health() const {
  ncclResult_t status = ncclSuccess;
  nccl_.expect(nccl_.async_error(comm_, &status), "asking for errors");
  nccl_.expect(status, "a collective");
}

std::unique_ptr<CommBackend> NcclBackend::split(int color, int key) {
  ncclComm_t part = nullptr;
  const CudaContext::HostWait waiting(device_.cuda_context());
  nccl_.expect(nccl_.split(comm_, color, key, &part, nullptr), "splitting a group");
  int rank = 0, size = 0;
  nccl_.expect(nccl_.rank(part, &rank), "asking for the rank");
  nccl_.expect(nccl_.count(part, &size), "asking for the number of ranks");
  return std::make_unique<NcclBackend>(device_, nccl_, part, rank, size);
}

template <class Launch>
std::unique_ptr<Operation> NcclBackend::in_stream(const Launch& launch) {
  auto operation = std::make_unique<InStream>(*this);
  cuda_check(cudaEventRecord(ready_, device_.cuda_context().stream()), "recording an event");
  cuda_check(cudaStreamWaitEvent(stream_, ready_), "waiting for an event");
  // The first operation between two ranks connects them.
  const CudaContext::HostWait waiting(device_.cuda_context());
  operation->run(launch);
  operation->mark_end();
  return operation;
}

template <class Body>
void NcclBackend::group(const Body& body) {
  nccl_.expect(nccl_.group_start(), "beginning a group");
  body();
  nccl_.expect(nccl_.group_end(), "launching a group");
}

std::unique_ptr<Operation> NcclBackend::start(const AllReduce& a) {
  const ncclRedOp_t op = reduction_of(a.reduction, a.x.dtype);
  return in_stream([&] {
    nccl_.expect(
        nccl_.all_reduce(a.x.data, a.x.data, count_of(a.x.count()), type_of(a.x.dtype), op, comm_, stream_),
        "all-reduce");
  });
}

// Uneven shares are reduced to one rank each.
std::unique_ptr<Operation> NcclBackend::start(const ReduceScatter& a) {
  const ncclRedOp_t op = reduction_of(a.reduction, a.in.dtype);
  const ncclDataType_t type = type_of(a.in.dtype);
  const ConstRows in(a.in);
  const int64_t width = in.row_bytes / size_of(a.in.dtype);
  return in_stream([&] {
    if (equal(a.rows)) {
      nccl_.expect(
          nccl_.reduce_scatter(in.data, a.out.data, count_of(a.out.count()), type, op, comm_, stream_),
          "reduce-scatter");
      return;
    }
    const std::vector<int64_t> begin = row_offsets(a.rows);
    group([&] {
      for (int r = 0; r < size_; ++r)
        if (a.rows[r] > 0)
          nccl_.expect(nccl_.reduce(in.slice(begin[r], a.rows[r]).data, a.out.data,
                                    count_of(a.rows[r] * width), type, op, r, comm_, stream_),
                       "reduce-scatter");
    });
  });
}

// Uneven shares are broadcast by one rank each.
std::unique_ptr<Operation> NcclBackend::start(const AllGather& a) {
  const Rows out(a.out);
  const ConstRows in(a.in);
  return in_stream([&] {
    if (equal(a.rows)) {
      nccl_.expect(nccl_.all_gather(in.data, out.data, count_of(in.bytes()), ncclUint8, comm_, stream_),
                   "all-gather");
      return;
    }
    const std::vector<int64_t> begin = row_offsets(a.rows);
    group([&] {
      for (int r = 0; r < size_; ++r)
        if (a.rows[r] > 0)
          nccl_.expect(nccl_.broadcast(in.data, out.slice(begin[r], a.rows[r]).data,
                                       count_of(a.rows[r] * out.row_bytes), ncclUint8, r, comm_, stream_),
                       "all-gather");
    });
  });
}

std::unique_ptr<Operation> NcclBackend::start(const AllToAll& a) {
  const Rows out(a.out);
  const ConstRows in(a.in);
  reserve((in.contiguous() ? 0 : in.bytes()) + (out.contiguous() ? 0 : out.bytes()), 2);
  return in_stream([&] {
    const ConstRows from = packed(in);
    const Rows to = place_of(out);
    const std::vector<int64_t> out_begin = row_offsets(a.out_rows), in_begin = row_offsets(a.in_rows);
    group([&] {
      for (int r = 0; r < size_; ++r) {
        send(from.slice(in_begin[r], a.in_rows[r]), r);
        receive(to.slice(out_begin[r], a.out_rows[r]), r);
      }
    });
    copy(out, to);
  });
}

std::unique_ptr<Operation> NcclBackend::start(const Broadcast& a) {
  return in_stream([&] {
    nccl_.expect(
        nccl_.broadcast(a.x.data, a.x.data, count_of(a.x.bytes()), ncclUint8, a.root, comm_, stream_),
        "broadcast");
  });
}

std::unique_ptr<Operation> NcclBackend::start(const Exchange& a) {
  int64_t bytes = 0;
  for (const Send& s : a.sends) bytes += ConstRows(s.x).contiguous() ? 0 : s.x.bytes();
  for (const Receive& r : a.receives) bytes += Rows(r.x).contiguous() ? 0 : r.x.bytes();
  reserve(bytes, a.sends.size() + a.receives.size());
  return in_stream([&] {
    std::vector<ConstRows> from;
    std::vector<Rows> to;
    for (const Send& s : a.sends) from.push_back(packed(ConstRows(s.x)));
    for (const Receive& r : a.receives) to.push_back(place_of(Rows(r.x)));
    group([&] {
      for (size_t i = 0; i < from.size(); ++i) send(from[i], a.sends[i].to);
      for (size_t i = 0; i < to.size(); ++i) receive(to[i], a.receives[i].from);
    });
    for (size_t i = 0; i < to.size(); ++i) copy(Rows(a.receives[i].x), to[i]);
  });
}

void NcclBackend::reserve(int64_t bytes, size_t tensors) {
  const int64_t room = bytes + static_cast<int64_t>(tensors) * 64;  // each begins at a multiple of 64
  if (packed_.size() < room) {
    // The device's stream gives the smaller room back: after what is under way here.
    cuda_check(cudaEventRecord(ready_, stream_), "recording an event");
    device_.cuda_context().wait_for(ready_);
    packed_ = Arena("what a collective packs", room, device_);
  }
  packed_.rewind(0);
}

Rows NcclBackend::place_of(const Rows& rows) {
  if (rows.contiguous()) return rows;
  const Tensor place = packed_.allocate(DType::bf16, {(rows.bytes() + 1) / 2});
  return Rows(static_cast<std::byte*>(place.data), rows.rows, rows.row_bytes, rows.row_bytes);
}

ConstRows NcclBackend::packed(const ConstRows& rows) {
  if (rows.contiguous()) return rows;
  const Rows to = place_of(Rows(nullptr, rows.rows, rows.row_bytes, rows.stride));
  copy(to, rows);
  return to;
}

void NcclBackend::copy(const Rows& to, const ConstRows& from) {
  if (to.data == from.data || to.bytes() == 0) return;
  const auto bytes = [](int64_t n) { return static_cast<size_t>(n); };
  cuda_check(cudaMemcpy2DAsync(to.data, bytes(to.stride), from.data, bytes(from.stride), bytes(to.row_bytes),
                               bytes(to.rows), cudaMemcpyDeviceToDevice, stream_),
             "packing rows");
}

// Both sides leave out what is empty.
void NcclBackend::send(const ConstRows& rows, int to) {
  if (rows.bytes() > 0)
    nccl_.expect(nccl_.send(rows.data, count_of(rows.bytes()), ncclUint8, to, comm_, stream_), "sending");
}

void NcclBackend::receive(const Rows& rows, int from) {
  if (rows.bytes() > 0)
    nccl_.expect(nccl_.receive(rows.data, count_of(rows.bytes()), ncclUint8, from, comm_, stream_),
                 "receiving");
}

}  // namespace cuda

std::unique_ptr<CommBackend> nccl_backend(const Device& device, Communicator& host, WaitListener* waits) {
  const cuda::NcclLibrary nccl = cuda::NcclLibrary::load();
  ncclUniqueId id{};
  if (host.rank() == 0) nccl.expect(nccl.unique_id(&id), "naming a group");
  static_assert(sizeof id % sizeof(int32_t) == 0);
  host.run(Broadcast{.x = Tensor(&id, DType::i32, {sizeof id / sizeof(int32_t)})});
  device.cuda_context().prepare();
  ncclComm_t comm = nullptr;
  device.cuda_context().tell(waits);
  const CudaContext::HostWait waiting(device.cuda_context());
  nccl.expect(nccl.init(&comm, host.size(), id, host.rank()), "starting a group");
  return std::make_unique<cuda::NcclBackend>(device, nccl, comm, host.rank(), host.size());
}

}  // namespace fathom
