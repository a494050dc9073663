#include "ops/embedding.h"

#include "tensor/memory.h"

namespace fathom {

void embedding_forward(Device& device, const EmbeddingForward& a) {
  Dim N{"N"}, C{"C"}, V{"V"};
  expect("embedding ids", a.ids, {N}, DType::i32);
  expect("embedding table", a.table.data, {V, C});
  expect("embedding out", a.out, {N, C}, a.table.data.dtype);
  FATHOM_DISPATCH(embedding_forward, device, a, 2 * moves(a.out), 0)
}

void embedding_backward(Device& device, const EmbeddingBackward& a) {
  Dim N{"N"}, C{"C"}, V{"V"};
  expect("embedding ids", a.ids, {N}, DType::i32);
  expect("embedding dout", a.dout, {N, C});
  expect("embedding dtable", a.dtable, {V, C}, stat_of(a.dout.dtype));
  if (!a.accumulate) clear(device, a.dtable);
  FATHOM_DISPATCH(embedding_backward, device, a, moves(a.dout) + 2.0 * N * C * size_of(a.dtable.dtype),
                  1.0 * N * C)
}

}  // namespace fathom
