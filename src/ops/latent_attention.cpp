#include "ops/latent_attention.h"

#include "ops/latent_cache.h"

namespace fathom {
namespace {

// Cached rows that all queries see together; on a GPU, where the host cannot look, as many as the tables have
// room for.
double keys(const Device& device, const LatentAttention& a) {
  const int64_t N = a.positions.cols();
  if (!device.on_host()) return static_cast<double>(N * a.block_table.cols() * a.pages.shape[1]);
  double sum = 0;
  for (int64_t n = 0; n < N; ++n) sum += a.positions.as<int32_t>()[n] + 1;
  return sum;
}

}  // namespace

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
  for (int64_t n = 0; device.on_host() && n < N; ++n) {
    const int64_t b = a.sequence.as<int32_t>()[n], position = a.positions.as<int32_t>()[n];
    check_cache_token("latent_attention", a.block_table, b, position, n);
    check_cache_pages("latent_attention", a.block_table, a.pages, b, 0, position + 1);
  }
  FATHOM_DISPATCH(latent_attention, device, a,
                  moves(a.out, a.q_latent, a.q_rope) + keys(device, a) * width * size_of(any),
                  2 * keys(device, a) * H * (2 * Rkv + Dr))
}

}  // namespace fathom
