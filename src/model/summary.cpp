#include "model/summary.h"

namespace fathom {

CacheBytes cache_bytes_per_token(const Config& c, DType dtype) {
  const int64_t per_element = c.num_hidden_layers * size_of(dtype), pair = c.qk_nope_head_dim + c.v_head_dim;
  return {.mla = c.cache_width() * per_element,
          .mha = c.num_attention_heads * pair * per_element,
          .gqa8 = 8 * pair * per_element,
          .mqa = pair * per_element};
}

}  // namespace fathom
