#include "ops/router_bias.h"

namespace fathom::cpu {

void router_bias_update(Device& device, const RouterBiasUpdate& a) {
  reference::router_bias_update(device, a);  // a few additions per layer and step
}

}  // namespace fathom::cpu
