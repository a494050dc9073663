// A few loads for each token: the reference's loops are fast enough.
#include "ops/router_replay.h"

namespace fathom::cpu {

void router_replay(Device& device, const RouterReplay& a) {
  with_dtype<float>("router_replay", a.scores.dtype, [&](float) { reference::router_replay(device, a); });
}

}  // namespace fathom::cpu
