// What neighbouring stages of a pipeline send to each other: the residual stream to the next stage, its
// gradient to the one before. Each of these ways has a communicator of its own, so that messages of one kind
// never wait for those of another.
#pragma once
#include <optional>

#include "comm/communicator.h"

namespace fathom {

class PipelineLinks {
 public:
  // The ranks of one pipeline in the order of its stages. Every one of them calls it.
  PipelineLinks(const Device& device, Communicator& pipeline);

  int stage() const { return stage_; }
  int stages() const { return stages_; }
  bool first() const { return stage_ == 0; }
  bool last() const { return stage_ + 1 == stages_; }

  // Micro-batches arrive in the order in which they were sent.
  Pending send_stream(const ConstTensor& x) { return next_->stream.start(Send{.x = x, .to = 1}); }
  Pending receive_stream(const Tensor& x) { return before_->stream.start(Receive{.x = x, .from = 0}); }
  Pending send_gradient(const ConstTensor& x) { return before_->gradient.start(Send{.x = x, .to = 0}); }
  Pending receive_gradient(const Tensor& x) { return next_->gradient.start(Receive{.x = x, .from = 1}); }

 private:
  // Two stages, the earlier one is rank 0.
  struct Link {
    Communicator stream, gradient;
  };
  void connect(const Device& device);

  int stage_, stages_;
  std::optional<Link> before_, next_;
};

}  // namespace fathom
