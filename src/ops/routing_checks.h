// The checks of router.h and expert_sort.h, for the op that is both.
#pragma once
#include "ops/expert_sort.h"
#include "ops/router.h"

namespace fathom {

// Errors name what does not fit. The router's arguments come back as its backends take them: `normalize` only
// with K > 1.
RouterForward checked(const RouterForward& a);
void check_shapes(const ExpertSort& a);

}  // namespace fathom
