#include "ops/router_sort.h"

namespace fathom::cpu {

void router_sort(Device& device, const RouterSort& a) {
  cpu::router_forward(device, a.router);
  cpu::expert_sort(device, a.sort);
}

}  // namespace fathom::cpu
