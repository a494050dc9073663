#include "ops/embedding.h"

namespace fathom::reference {

void embedding_forward(Device&, const EmbeddingForward& a) {
  with_dtype<double, float>("embedding_forward", a.out.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.out.rows(); ++n) {
      const T* row = a.table.data.row<T>(a.ids.as<int32_t>()[n]);
      for (int64_t c = 0; c < a.out.cols(); ++c) a.out.row<T>(n)[c] = row[c];
    }
  });
}

void embedding_backward(Device&, const EmbeddingBackward& a) {
  with_dtype<double, float>("embedding_backward", a.dout.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.dout.rows(); ++n) {
      T* row = a.dtable.row<T>(a.ids.as<int32_t>()[n]);
      for (int64_t c = 0; c < a.dout.cols(); ++c) row[c] += a.dout.row<T>(n)[c];
    }
  });
}

}  // namespace fathom::reference
