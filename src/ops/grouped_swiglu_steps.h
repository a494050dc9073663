// grouped_swiglu as three ops of a backend, one after the other.
#pragma once
#include "ops/grouped_linear.h"
#include "ops/grouped_swiglu.h"
#include "ops/permute.h"
#include "ops/swiglu.h"

namespace fathom {

template <auto permute, auto grouped_linear_forward, auto swiglu_forward>
void grouped_swiglu_steps(Device& device, const GroupedSwiglu& a) {
  permute(device, {.out = a.rows, .x = a.x, .token_of = a.token_of});
  grouped_linear_forward(device, {.out = a.gate_up, .x = a.rows, .w = a.w, .offsets = a.offsets});
  swiglu_forward(device, {.out = a.out, .gate_up = a.gate_up});
}

}  // namespace fathom
