#include "ops/latent_cache.h"

namespace fathom {

void check_cache_pages(const char* op, const Tensor& table, const Tensor& pages, int64_t b, int64_t first,
                       int64_t end) {
  if (first == end) return;
  const int64_t page = pages.shape[1], needed = (end + page - 1) / page;
  check(needed <= table.cols(), "{}: sequence {} has {} tokens, its block_table row holds {} pages of {}", op,
        b, end, table.cols(), page);
  const int32_t* ids = table.row<int32_t>(b);
  for (int64_t i = first / page; i < needed; ++i)
    check(ids[i] >= 0 && ids[i] < pages.shape[0], "{}: block_table[{}, {}] is {}, there are {} pages", op, b,
          i, ids[i], pages.shape[0]);
}

void check_cache_token(const char* op, const Tensor& table, int64_t b, int64_t position, int64_t n) {
  check(b >= 0 && b < table.shape[0], "{}: sequence[{}] is {}, there are {}", op, n, b, table.shape[0]);
  check(position >= 0, "{}: positions[{}] is {}", op, n, position);
}

namespace {

void check_starts(const LatentCacheRead& a, int64_t M) {
  const int32_t* s = a.kv_starts.as<int32_t>();
  const int64_t B = a.block_table.shape[0];
  check(s[0] == 0 && s[B] == M, "latent_cache_read kv_starts must run from 0 to {}", M);
  for (int64_t b = 0; b < B; ++b) {
    check(s[b] <= s[b + 1], "latent_cache_read kv_starts falls from {} to {} at sequence {}", s[b], s[b + 1],
          b);
    const int64_t first = a.first ? a.first.as<int32_t>()[b] : 0;
    check(first >= 0, "latent_cache_read: first[{}] is {}", b, first);
    check_cache_pages("latent_cache_read", a.block_table, a.pages, b, first, first + s[b + 1] - s[b]);
  }
}

}  // namespace

void latent_cache_write(Device& device, const LatentCacheWrite& a) {
  Dim N{"N"}, width{"Rkv+Dr"}, P{"P"}, page{"page"}, B{"B"}, max_pages{"max_pages"};
  expect("latent_cache_write latent", a.latent, {N, width});
  expect("latent_cache_write pages", a.pages, {P, page, width}, a.latent.dtype);
  expect("latent_cache_write block_table", a.block_table, {B, max_pages}, DType::i32);
  expect("latent_cache_write sequence", a.sequence, {N}, DType::i32);
  expect("latent_cache_write positions", a.positions, {N}, DType::i32);
  for (int64_t n = 0; device.on_host() && n < N; ++n) {
    const int64_t b = a.sequence.as<int32_t>()[n], position = a.positions.as<int32_t>()[n];
    check_cache_token("latent_cache_write", a.block_table, b, position, n);
    check(position / page < max_pages,
          "latent_cache_write: positions[{}] is {}, block_table holds {} pages of {}", n, position,
          max_pages.size(), page.size());
    const int32_t id = a.block_table.row<int32_t>(b)[position / page];
    check(id >= 0 && id < P, "latent_cache_write: block_table[{}, {}] is {}, there are {} pages", b,
          position / page, id, P.size());
  }
  FATHOM_DISPATCH(latent_cache_write, device, a, 2 * moves(a.latent), 0)
}

void latent_cache_read(Device& device, const LatentCacheRead& a) {
  Dim M{"M"}, width{"Rkv+Dr"}, P{"P"}, page{"page"}, B{"B"}, max_pages{"max_pages"};
  expect("latent_cache_read out", a.out, {M, width});
  expect("latent_cache_read pages", a.pages, {P, page, width}, a.out.dtype);
  expect("latent_cache_read block_table", a.block_table, {B, max_pages}, DType::i32);
  Dim starts{"B+1", B + 1};
  expect("latent_cache_read kv_starts", a.kv_starts, {starts}, DType::i32);
  if (a.first) expect("latent_cache_read first", a.first, {B}, DType::i32);
  if (device.on_host()) check_starts(a, M);
  FATHOM_DISPATCH(latent_cache_read, device, a, 2 * moves(a.out), 0)
}

}  // namespace fathom
