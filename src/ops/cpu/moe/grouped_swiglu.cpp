#include "ops/grouped_swiglu_steps.h"

namespace fathom::cpu {

void grouped_swiglu(Device& device, const GroupedSwiglu& a) {
  grouped_swiglu_steps<permute, grouped_linear_forward, swiglu_forward>(device, a);
}

}  // namespace fathom::cpu
