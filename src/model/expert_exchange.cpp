#include "model/expert_exchange.h"

#include "base/error.h"

namespace fathom {

ExpertExchange::ExpertExchange(const Config& c, const ModelPart& part, const Device& device,
                               Communicator& ranks)
    : ranks(ranks),
      memory("the tokens that experts receive", device,
             "fewer tokens in a micro-batch, a capacity factor or recomputation take less"),
      staging(device, 4 * (2 * ranks.size() + 1)) {
  const int64_t R = ranks.size(), E = c.n_routed_experts;
  check(E % R == 0, "n_routed_experts = {} cannot be split evenly over {} ranks", E, R);
  const int64_t held = part.experts(c), first = ranks.rank() * (E / R);
  check(held == E / R && part.first_expert == first,
        "rank {} of {} holds experts {} to {}, expected {} to {}", ranks.rank(), R, part.first_expert,
        part.first_expert + held - 1, first, first + E / R - 1);
}

}  // namespace fathom
