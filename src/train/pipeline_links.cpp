#include "train/pipeline_links.h"

namespace fathom {

// Links between stages 0-1, 2-3, ... are made first, then those between 1-2, 3-4, ...
PipelineLinks::PipelineLinks(Communicator& pipeline) : stage_(pipeline.rank()), stages_(pipeline.size()) {
  for (const int parity : {0, 1}) {
    const int color = (stage_ + parity) / 2;
    Link link{pipeline.split(color, stage_), pipeline.split(color, stage_)};
    if (link.stream.size() == 1) continue;
    (link.stream.rank() == 0 ? next_ : before_).emplace(std::move(link));
  }
}

}  // namespace fathom
