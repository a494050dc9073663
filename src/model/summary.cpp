#include "model/summary.h"

#include <fmt/format.h>

namespace fathom {

std::string attention_name(const Config& c) {
  if (c.is_mla()) return "MLA";
  if (c.num_key_value_heads == c.num_attention_heads) return "MHA";
  return c.num_key_value_heads == 1 ? "MQA" : fmt::format("GQA, {} groups", c.num_key_value_heads);
}

CacheBytes cache_bytes_per_token(const Config& c, DType dtype) {
  const int64_t per_element = c.num_hidden_layers * size_of(dtype), pair = c.kv_head_dim();
  return {.own = c.cache_width() * per_element,
          .mha = c.num_attention_heads * pair * per_element,
          .gqa8 = 8 * pair * per_element,
          .mqa = pair * per_element};
}

}  // namespace fathom
