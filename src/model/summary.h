// What a model of some config costs: parameters, bytes, cache. Pure arithmetic, no weights needed.
#pragma once
#include <string>

#include "model/config.h"
#include "tensor/dtype.h"

namespace fathom {

// "MLA", "MHA", "MQA", or "GQA, 8 groups".
std::string attention_name(const Config& config);

// Bytes cached per token over all layers: of the model itself (MLA holds Rkv+Dr elements per layer), and of
// the same heads as plain attention, keys of Dn and values of Dv: per layer H, 8 or 1 pairs of them (paper
// table 1).
struct CacheBytes {
  int64_t own, mha, gqa8, mqa;
};
CacheBytes cache_bytes_per_token(const Config& config, DType dtype);

}  // namespace fathom
