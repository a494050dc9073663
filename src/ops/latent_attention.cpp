#include "ops/latent_attention.h"

namespace fathom {
namespace {

// The pages that hold tokens 0..length-1 of sequence b must exist.
void check_pages(const char* op, const Tensor& table, const Tensor& pages, int64_t b, int64_t length) {
  const int64_t page = pages.shape[1], needed = (length + page - 1) / page;
  check(needed <= table.cols(), "{}: sequence {} has {} tokens, its block_table row holds {} pages of {}", op,
        b, length, table.cols(), page);
  const int32_t* ids = table.row<int32_t>(b);
  for (int64_t i = 0; i < needed; ++i)
    check(ids[i] >= 0 && ids[i] < pages.shape[0], "{}: block_table[{}, {}] is {}, there are {} pages", op, b,
          i, ids[i], pages.shape[0]);
}

void check_token(const char* op, const Tensor& table, int64_t b, int64_t position, int64_t n) {
  check(b >= 0 && b < table.shape[0], "{}: sequence[{}] is {}, there are {}", op, n, b, table.shape[0]);
  check(position >= 0, "{}: positions[{}] is {}", op, n, position);
}

// Cached rows that all queries see together; on a GPU, where the host cannot look, as many as the tables have
// room for.
double keys(const Device& device, const LatentAttention& a) {
  const int64_t N = a.positions.cols();
  if (!device.on_host()) return static_cast<double>(N * a.block_table.cols() * a.pages.shape[1]);
  double sum = 0;
  for (int64_t n = 0; n < N; ++n) sum += a.positions.as<int32_t>()[n] + 1;
  return sum;
}

void check_starts(const LatentRead& a, int64_t M) {
  const int32_t* s = a.kv_starts.as<int32_t>();
  const int64_t B = a.block_table.shape[0];
  check(s[0] == 0 && s[B] == M, "latent_read kv_starts must run from 0 to {}", M);
  for (int64_t b = 0; b < B; ++b) {
    check(s[b] <= s[b + 1], "latent_read kv_starts falls from {} to {} at sequence {}", s[b], s[b + 1], b);
    check_pages("latent_read", a.block_table, a.pages, b, s[b + 1] - s[b]);
  }
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
    check_token("latent_attention", a.block_table, b, position, n);
    check_pages("latent_attention", a.block_table, a.pages, b, position + 1);
  }
  FATHOM_DISPATCH(latent_attention, device, a,
                  moves(a.out, a.q_latent, a.q_rope) + keys(device, a) * width * size_of(any),
                  2 * keys(device, a) * H * (2 * Rkv + Dr))
}

void latent_write(Device& device, const LatentWrite& a) {
  Dim N{"N"}, width{"Rkv+Dr"}, P{"P"}, page{"page"}, B{"B"}, max_pages{"max_pages"};
  expect("latent_write latent", a.latent, {N, width});
  expect("latent_write pages", a.pages, {P, page, width}, a.latent.dtype);
  expect("latent_write block_table", a.block_table, {B, max_pages}, DType::i32);
  expect("latent_write sequence", a.sequence, {N}, DType::i32);
  expect("latent_write positions", a.positions, {N}, DType::i32);
  for (int64_t n = 0; device.on_host() && n < N; ++n) {
    const int64_t b = a.sequence.as<int32_t>()[n], position = a.positions.as<int32_t>()[n];
    check_token("latent_write", a.block_table, b, position, n);
    check(position / page < max_pages, "latent_write: positions[{}] is {}, block_table holds {} pages of {}",
          n, position, max_pages.size(), page.size());
    const int32_t id = a.block_table.row<int32_t>(b)[position / page];
    check(id >= 0 && id < P, "latent_write: block_table[{}, {}] is {}, there are {} pages", b,
          position / page, id, P.size());
  }
  FATHOM_DISPATCH(latent_write, device, a, 2 * moves(a.latent), 0)
}

void latent_read(Device& device, const LatentRead& a) {
  Dim M{"M"}, width{"Rkv+Dr"}, P{"P"}, page{"page"}, B{"B"}, max_pages{"max_pages"};
  expect("latent_read out", a.out, {M, width});
  expect("latent_read pages", a.pages, {P, page, width}, a.out.dtype);
  expect("latent_read block_table", a.block_table, {B, max_pages}, DType::i32);
  Dim starts{"B+1", B + 1};
  expect("latent_read kv_starts", a.kv_starts, {starts}, DType::i32);
  if (device.on_host()) check_starts(a, M);
  FATHOM_DISPATCH(latent_read, device, a, 2 * moves(a.out), 0)
}

}  // namespace fathom
