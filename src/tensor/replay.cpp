#include "tensor/replay.h"

#include <algorithm>

#include "base/error.h"
#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {

#if FATHOM_WITH_CUDA
namespace {

cudaGraphExec_t capture(cudaStream_t stream, const std::function<void()>& work) {
  cudaGraph_t graph = nullptr;
  cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "starting a stream capture");
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    if (graph) cudaGraphDestroy(graph);
    throw;
  }
  cuda_check(cudaStreamEndCapture(stream, &graph), "ending a stream capture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  cuda_check(status, "instantiating a CUDA graph");
  return executable;
}

}  // namespace

struct Replay::CapturedGraph {
  cudaGraphExec_t graph = nullptr;
  std::array<const void*, 2> workspaces{};  // addresses at the time of the capture
  int64_t last_run = 0;

  ~CapturedGraph() { reset(); }
  void reset() {
    if (graph) cudaGraphExecDestroy(graph);
    graph = nullptr;
  }
};

void Replay::run(Device& device, const std::vector<int64_t>& key, const std::function<void()>& work) {
  // A profile times single ops.
  if (device.on_host() || device.profile() || device.cuda_context().synchronous()) return work();
  CudaContext& context = device.cuda_context();
  const auto known = graphs_.find(key);
  if (known == graphs_.end()) {
    if (graphs_.size() >= max_graphs) {
      context.synchronize();
      forget_oldest();
    }
    graphs_[key] = std::make_unique<CapturedGraph>();
    graphs_[key]->last_run = ++runs_;
    return work();
  }
  CapturedGraph& captured = *known->second;
  captured.last_run = ++runs_;
  if (captured.workspaces != context.workspaces()) captured.reset();  // another form needed larger ones
  if (!captured.graph) {
    captured.graph = capture(context.stream(), work);
    captured.workspaces = context.workspaces();
  }
  cuda_check(cudaGraphLaunch(captured.graph, context.stream()), "launching a CUDA graph");
}

void Replay::forget_oldest() {
  graphs_.erase(std::min_element(graphs_.begin(), graphs_.end(), [](const auto& a, const auto& b) {
    return a.second->last_run < b.second->last_run;
  }));
}
#else
struct Replay::CapturedGraph {};

void Replay::run(Device&, const std::vector<int64_t>&, const std::function<void()>& work) {
  work();
}
#endif

Replay::Replay() = default;
Replay::~Replay() = default;

}  // namespace fathom
