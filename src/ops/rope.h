// Rotary position embedding. A pair of columns is one complex number, rotated by the angle position *
// inv_freq[k]: the neighbours (x[2k], x[2k+1]) in DeepSeek-V2 (the GPT-J form), or (x[k], x[k + Dr/2]) in
// models of Llama's form (GPT-NeoX's). YaRN only changes inv_freq and scales cos and sin (model/yarn.h).
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// cos_sin[n] = (cos a_0, sin a_0, cos a_1, sin a_1, ...) * factor, a_k = positions[n] * inv_freq[k]. Computed
// once per batch, shared by all heads and layers. Angles are computed in f64.
struct RopeTable {
  Tensor cos_sin;    // [N, Dr] stat
  Tensor positions;  // [N] i32
  Tensor inv_freq;   // [Dr/2] f64, on the host
  double factor = 1;
};
enum class RopePairs { neighbours, halves };

// Rotates x in place. `inverse` rotates back: the gradient of a rotation is the rotation by the negative
// angle (the factor is applied in both directions).
struct Rope {
  Tensor x;        // [N, H, Dr] any; a column slice of [N, H, Dn+Dr] or [N, 1, Rkv+Dr]
  Tensor cos_sin;  // [N, Dr] stat
  bool inverse = false;
  RopePairs pairs = RopePairs::neighbours;
};

FATHOM_OP(rope_table, RopeTable)
FATHOM_OP(rope, Rope)

}  // namespace fathom
