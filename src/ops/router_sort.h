// The router's choice and the order of its slots, in one kernel on a GPU where tokens are few, as in
// decoding.
#pragma once
#include "ops/expert_sort.h"
#include "ops/router.h"

namespace fathom {

// router_forward, then expert_sort of its ids.
struct RouterSort {
  RouterForward router;
  ExpertSort sort;  // ids: the router's
};

FATHOM_OP(router_sort, RouterSort)

}  // namespace fathom
