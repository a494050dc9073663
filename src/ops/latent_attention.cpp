#include "ops/latent_attention.h"

#include "ops/latent_cache.h"

namespace fathom {
void latent_attention(Device& device, const LatentAttention& a) {
  Dim N{"N"}, H{"H"}, Rkv{"Rkv"}, Dr{"Dr"}, P{"P"}, page{"page"}, B{"B"}, max_pages{"max_pages"};
  expect("latent_attention q_latent", a.q_latent, {N, H, Rkv});
  const DType any = a.q_latent.dtype;
  expect("latent_attention out", a.out, {N, H, Rkv}, any);
  expect("latent_attention q_rope", a.q_rope, {N, H, Dr}, any);
  Dim width{"Rkv+Dr", Rkv + Dr};
  expect("latent_attention pages", a.pages, {P, page, width}, any);
  expect("latent_attention block_table", a.block_table, {B, max_pages}, DType::i32);
  expect("latent_attention sequence", a.sequence, {N}, DType::i32);
  expect("latent_attention positions", a.positions, {N}, DType::i32);
  check_cached_queries("latent_attention", device, a);
  const double keys = cached_keys(device, a);
  FATHOM_DISPATCH(latent_attention, device, a,
                  moves(a.out, a.q_latent, a.q_rope) + keys * width * size_of(any),
                  2 * keys * H * (2 * Rkv + Dr))
}

}  // namespace fathom
