#include "ops/router_sort.h"

namespace fathom::reference {

void router_sort(Device& device, const RouterSort& a) {
  reference::router_forward(device, a.router);
  reference::expert_sort(device, a.sort);
}

}  // namespace fathom::reference
