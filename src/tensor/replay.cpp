#include "tensor/replay.h"

#include "base/error.h"
#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {

#if FATHOM_WITH_CUDA
namespace {

constexpr size_t most_recordings = 32;

cudaGraphExec_t record(cudaStream_t stream, const std::function<void()>& work) {
  cudaGraph_t graph = nullptr;
  cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning to record");
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    if (graph) cudaGraphDestroy(graph);
    throw;
  }
  cuda_check(cudaStreamEndCapture(stream, &graph), "recording");
  cudaGraphExec_t recorded = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&recorded, graph, 0);
  cudaGraphDestroy(graph);
  cuda_check(status, "preparing what was recorded");
  return recorded;
}

}  // namespace

struct Replay::Recording {
  cudaGraphExec_t graph = nullptr;
  std::array<const void*, 2> workspaces{};  // of the ops, where they were when these were recorded

  ~Recording() { forget(); }
  void forget() {
    if (graph) cudaGraphExecDestroy(graph);
    graph = nullptr;
  }
};

void Replay::run(Device& device, const std::vector<int64_t>& key, const std::function<void()>& work) {
  // A profile looks at single ops.
  if (device.on_host() || device.profile() || device.cuda_context().synchronous()) return work();
  const auto known = recordings_.find(key);
  if (known == recordings_.end()) {
    if (recordings_.size() >= most_recordings) {
      device.cuda_context().synchronize();
      recordings_.clear();
    }
    recordings_[key] = std::make_unique<Recording>();
    return work();
  }
  CudaContext& context = device.cuda_context();
  Recording& recording = *known->second;
  if (recording.workspaces != context.workspaces()) recording.forget();  // another form needed larger ones
  if (!recording.graph) {
    recording.graph = record(context.stream(), work);
    recording.workspaces = context.workspaces();
  }
  cuda_check(cudaGraphLaunch(recording.graph, context.stream()), "replaying");
}
#else
struct Replay::Recording {};

void Replay::run(Device&, const std::vector<int64_t>&, const std::function<void()>& work) {
  work();
}
#endif

Replay::Replay() = default;
Replay::~Replay() = default;

}  // namespace fathom
