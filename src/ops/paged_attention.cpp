#include "ops/paged_attention.h"

#include "ops/latent_cache.h"

namespace fathom {

void paged_attention(Device& device, const PagedAttention& a) {
  Dim N{"N"}, H{"H"}, Dk{"Dk"}, Dv{"Dv"}, P{"P"}, page{"page"}, width{"G*(Dk+Dv)"}, B{"B"},
      max_pages{"max_pages"};
  expect("paged_attention q", a.q, {N, H, Dk});
  const DType any = a.q.dtype;
  expect("paged_attention out", a.out, {N, H, Dv}, any);
  expect("paged_attention pages", a.pages, {P, page, width}, any);
  expect("paged_attention block_table", a.block_table, {B, max_pages}, DType::i32);
  expect("paged_attention sequence", a.sequence, {N}, DType::i32);
  expect("paged_attention positions", a.positions, {N}, DType::i32);
  const int64_t pair = Dk + Dv;
  check(pair > 0 && width > 0 && width % pair == 0 && H % (width / pair) == 0,
        "paged_attention pages are {} columns wide: they must hold {} columns for each of a number of heads "
        "that "
        "divides {}",
        width.size(), pair, H.size());
  check_cached_queries("paged_attention", device, a);
  const double keys = cached_keys(device, a);
  FATHOM_DISPATCH(paged_attention, device, a, moves(a.out, a.q) + keys * width * size_of(any),
                  2 * keys * H * pair)
}

}  // namespace fathom
