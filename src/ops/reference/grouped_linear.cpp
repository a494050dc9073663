// One dense projection per expert, over that expert's rows.
#include "ops/grouped_linear.h"

#include "ops/linear.h"

namespace fathom::reference {
namespace {

// Calls body(expert, first row, rows) for every expert.
template <class Body>
void each_expert(const Tensor& offsets, const Body& body) {
  const int32_t* begin = offsets.as<int32_t>();
  for (int64_t e = 0; e + 1 < offsets.cols(); ++e) body(e, begin[e], begin[e + 1] - begin[e]);
}

}  // namespace

void grouped_linear_forward(Device& device, const GroupedLinearForward& a) {
  each_expert(a.offsets, [&](int64_t e, int64_t begin, int64_t rows) {
    reference::linear_forward(device, {.out = a.out.slice(begin, rows),
                                       .x = a.x.slice(begin, rows),
                                       .w = a.w.data[e],
                                       .accumulate = a.accumulate});
  });
}

void grouped_linear_backward_input(Device& device, const GroupedLinearBackwardInput& a) {
  each_expert(a.offsets, [&](int64_t e, int64_t begin, int64_t rows) {
    reference::linear_backward_input(device, {.dx = a.dx.slice(begin, rows),
                                              .dout = a.dout.slice(begin, rows),
                                              .w = a.w.data[e],
                                              .accumulate = a.accumulate});
  });
}

void grouped_linear_backward_weight(Device& device, const GroupedLinearBackwardWeight& a) {
  each_expert(a.offsets, [&](int64_t e, int64_t begin, int64_t rows) {
    reference::linear_backward_weight(device, {.dw = a.dw[e],
                                               .dout = a.dout.slice(begin, rows),
                                               .x = a.x.slice(begin, rows),
                                               .accumulate = a.accumulate});
  });
}

}  // namespace fathom::reference
