#include "train/pipeline_links.h"

#include "tensor/arena.h"

namespace fathom {

// Links between stages 0-1, 2-3, ... are made first, then those between 1-2, 3-4, ...
PipelineLinks::PipelineLinks(const Device& device, Communicator& pipeline)
    : stage_(pipeline.rank()), stages_(pipeline.size()) {
  for (const int parity : {0, 1}) {
    const int color = (stage_ + parity) / 2;
    Link link{pipeline.split(color, stage_), pipeline.split(color, stage_)};
    if (link.stream.size() == 1) continue;
    (link.stream.rank() == 0 ? next_ : before_).emplace(std::move(link));
  }
  connect(device);
}

// NCCL connects two ranks at their first message, for which each waits for the other: here no other message
// is under way.
void PipelineLinks::connect(const Device& device) {
  Arena memory("a first message", 64, device);
  const Tensor x = memory.allocate(DType::i32, {1});
  if (before_) receive_stream(x).wait(), send_gradient(x).wait();
  if (next_) send_stream(x).wait(), receive_gradient(x).wait();
}

}  // namespace fathom
