// What a model of some config costs: parameters, bytes, cache. Pure arithmetic, no weights needed.
#pragma once
#include "model/config.h"
#include "tensor/dtype.h"

namespace fathom {

// Bytes cached per token over all layers. MLA holds Rkv+Dr elements per layer; the others are what the same
// heads would hold as plain attention, keys of Dn and values of Dv: per layer H, 8 or 1 pairs of them (paper
// table 1).
struct CacheBytes {
  int64_t mla, mha, gqa8, mqa;
};
CacheBytes cache_bytes_per_token(const Config& config, DType dtype);

}  // namespace fathom
