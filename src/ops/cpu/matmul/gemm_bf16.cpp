// The bf16 micro-kernels: 12x32 with vdpbf16ps, 32x32 in AMX tiles. Both multiply pairs: a "word" holds the
// elements k and k + 1 of a row. B's panels, and A's for vdpbf16ps, hold word (i, k / 2) at [k / 2][i].
#include "ops/cpu/level.h"
#include "ops/cpu/matmul/micro_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#if defined(__GNUC__) && !defined(__clang__)  // false alarms on GCC 12's own intrinsics
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define FATHOM_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define FATHOM_AMX __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,amx-tile,amx-bf16")))

namespace fathom::cpu {
namespace {

constexpr int64_t nr = 32;
constexpr int64_t block = 32;  // rows and K of a block of AMX's A panel: two tiles of 16 rows x 64 bytes

const char* row_of(const void* data, int64_t bytes) {
  return static_cast<const char*>(data) + bytes;
}
__m128i load_words(const char* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
void store_words(uint32_t* p, __m128i words) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), words);
}

// Word (i, pair) of the source, zeros outside.
uint32_t word_at(const PackSource& s, int64_t i, int64_t pair) {
  const auto* x = static_cast<const uint16_t*>(s.data);
  const int64_t k = 2 * pair, at = s.by_row ? i * s.stride + k : k * s.stride + i;
  if (i >= s.rows || k >= s.depth) return 0;
  const uint32_t high = k + 1 < s.depth ? x[at + (s.by_row ? 1 : s.stride)] : 0;
  return x[at] | high << 16;
}

// out[c * out_stride + r] = word c of row r, for four rows `stride` bytes apart and four words.
void transpose4(const char* x, int64_t stride, uint32_t* out, int64_t out_stride) {
  const __m128i r0 = load_words(x), r1 = load_words(x + stride), r2 = load_words(x + 2 * stride),
                r3 = load_words(x + 3 * stride);
  const __m128i low01 = _mm_unpacklo_epi32(r0, r1), low23 = _mm_unpacklo_epi32(r2, r3);
  const __m128i high01 = _mm_unpackhi_epi32(r0, r1), high23 = _mm_unpackhi_epi32(r2, r3);
  store_words(out, _mm_unpacklo_epi64(low01, low23));
  store_words(out + out_stride, _mm_unpackhi_epi64(low01, low23));
  store_words(out + 2 * out_stride, _mm_unpacklo_epi64(high01, high23));
  store_words(out + 3 * out_stride, _mm_unpackhi_epi64(high01, high23));
}

// Words (i..i+count-1, pair) of a source that is not by_row, count <= 16.
FATHOM_BF16 void interleave(const PackSource& s, int64_t i, int64_t count, int64_t pair, uint32_t* out) {
  const int64_t k = 2 * pair, valid = std::clamp<int64_t>(s.rows - i, 0, 16);
  const auto inside = static_cast<__mmask16>((1u << valid) - 1);
  const __mmask16 low_mask = k < s.depth ? inside : 0, high_mask = k + 1 < s.depth ? inside : 0;
  const char* x = row_of(s.data, 2 * (k * s.stride + i));
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(low_mask, x));
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(high_mask, x + 2 * s.stride));
  const auto width = static_cast<__mmask16>((1u << count) - 1);
  _mm512_mask_storeu_epi32(out, width, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

// Panels of W rows as words [pair][W].
template <int64_t W, int64_t unit>
void pack_words(const PackSource& s, void* panels) {
  const int64_t pairs = (s.depth + unit - 1) / unit * unit / 2;
  for (int64_t i = 0; i < s.rows; i += W) {
    uint32_t* out = static_cast<uint32_t*>(panels) + i * pairs;
    int64_t pair = 0;
    if (!s.by_row) {
      for (; pair < pairs; ++pair)
        for (int64_t r = 0; r < W; r += 16)
          interleave(s, i + r, std::min<int64_t>(W - r, 16), pair, out + pair * W + r);
    } else if (i + W <= s.rows) {
      for (; 2 * (pair + 4) <= s.depth; pair += 4)
        for (int64_t r = 0; r < W; r += 4)
          transpose4(row_of(s.data, 2 * ((i + r) * s.stride + 2 * pair)), 2 * s.stride, out + pair * W + r,
                     W);
    }
    for (; pair < pairs; ++pair)
      for (int64_t r = 0; r < W; ++r) out[pair * W + r] = word_at(s, i + r, pair);
  }
}

// A block [row][k] of 32 x 32, copied from rows.
FATHOM_BF16 void copy_rows(const PackSource& s, int64_t i, int64_t k, uint32_t* out) {
  const int64_t depth = std::min(block, s.depth - k);
  const auto mask = static_cast<__mmask32>(depth == block ? ~0u : (1u << depth) - 1);
  for (int64_t r = 0; r < block; ++r) {
    const bool inside = i + r < s.rows;
    const char* x = row_of(s.data, inside ? 2 * ((i + r) * s.stride + k) : 0);
    _mm512_storeu_si512(out + r * 16, _mm512_maskz_loadu_epi16(inside ? mask : 0, x));
  }
}
// The same from columns: words [pair][row] first, then transposed.
void transpose_columns(const PackSource& s, int64_t i, int64_t k, uint32_t* out) {
  uint32_t words[16 * block];
  for (int64_t pair = 0; pair < 16; ++pair)
    for (int64_t r = 0; r < block; r += 16) interleave(s, i + r, 16, k / 2 + pair, words + pair * block + r);
  for (int64_t pair = 0; pair < 16; pair += 4)
    for (int64_t r = 0; r < block; r += 4)
      transpose4(row_of(words + pair * block + r, 0), block * 4, out + r * 16 + pair, 16);
}
void pack_amx_rows(const PackSource& s, void* panels) {
  auto* out = static_cast<uint32_t*>(panels);
  for (int64_t i = 0; i < s.rows; i += block)
    for (int64_t k = 0; k < s.depth; k += block, out += 16 * block)
      s.by_row ? copy_rows(s, i, k, out) : transpose_columns(s, i, k, out);
}

constexpr int64_t dot_mr = 12;

FATHOM_BF16 void dot_tile(int64_t depth, const void* a_panel, const void* b_panel, float* c, int64_t c_stride,
                          float alpha, bool add) {
  const auto *a = static_cast<const int32_t*>(a_panel), *b = static_cast<const int32_t*>(b_panel);
  __m512 sum[dot_mr][2];
#pragma GCC unroll 12
  for (int i = 0; i < dot_mr; ++i) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
  for (int64_t pair = 0; pair < depth / 2; ++pair, a += dot_mr, b += nr) {
    const auto b0 = (__m512bh)_mm512_loadu_si512(b), b1 = (__m512bh)_mm512_loadu_si512(b + 16);
#pragma GCC unroll 12
    for (int i = 0; i < dot_mr; ++i) {
      const auto ai = (__m512bh)_mm512_set1_epi32(a[i]);
      sum[i][0] = _mm512_dpbf16_ps(sum[i][0], ai, b0);
      sum[i][1] = _mm512_dpbf16_ps(sum[i][1], ai, b1);
    }
  }
  const __m512 scale = _mm512_set1_ps(alpha);
#pragma GCC unroll 12
  for (int i = 0; i < dot_mr; ++i)
    for (int j = 0; j < 2; ++j) {
      float* out = c + i * c_stride + 16 * j;
      const __m512 s = _mm512_mul_ps(sum[i][j], scale);
      _mm512_storeu_ps(out, add ? _mm512_add_ps(s, _mm512_loadu_ps(out)) : s);
    }
}

// Tile registers: 0-3 the four quarters of C, 4-5 A's rows, 6-7 B's columns; all 16 rows of 64 bytes.
struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);
alignas(64) const TileConfig tile_config;

FATHOM_AMX void amx_begin() {
  _tile_loadconfig(&tile_config);
}
FATHOM_AMX void amx_end() {
  _tile_release();
}

FATHOM_AMX void amx_store(float* c, int64_t c_stride) {
  _tile_stored(0, c, c_stride * 4);
  _tile_stored(1, c + 16, c_stride * 4);
  _tile_stored(2, c + 16 * c_stride, c_stride * 4);
  _tile_stored(3, c + 16 * c_stride + 16, c_stride * 4);
}

// c = alpha * sums (+ c), through memory: tile registers have no other arithmetic.
FATHOM_AMX void amx_scaled(float* c, int64_t c_stride, float alpha, bool add) {
  alignas(64) float sums[32 * nr];
  amx_store(sums, nr);
  const __m512 scale = _mm512_set1_ps(alpha);
  for (int64_t i = 0; i < 32; ++i)
    for (int64_t j = 0; j < nr; j += 16) {
      float* out = c + i * c_stride + j;
      const __m512 s = _mm512_mul_ps(_mm512_load_ps(sums + i * nr + j), scale);
      _mm512_storeu_ps(out, add ? _mm512_add_ps(s, _mm512_loadu_ps(out)) : s);
    }
}

FATHOM_AMX void amx_tile(int64_t depth, const void* a_panel, const void* b_panel, float* c, int64_t c_stride,
                         float alpha, bool add) {
  const bool load = add && alpha == 1;
  if (load) {
    _tile_loadd(0, c, c_stride * 4);
    _tile_loadd(1, c + 16, c_stride * 4);
    _tile_loadd(2, c + 16 * c_stride, c_stride * 4);
    _tile_loadd(3, c + 16 * c_stride + 16, c_stride * 4);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const auto *a = static_cast<const uint32_t*>(a_panel), *b = static_cast<const uint32_t*>(b_panel);
  for (int64_t k = 0; k < depth; k += block, a += 16 * block, b += 16 * nr) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, nr * 4);
    _tile_loadd(7, b + 16, nr * 4);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + 16 * 16, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  if (alpha == 1)
    amx_store(c, c_stride);
  else
    amx_scaled(c, c_stride, alpha, add);
}

constexpr MicroKernel dot_kernel = {.mr = dot_mr,
                                    .nr = nr,
                                    .depth_unit = 2,
                                    .depth_block = 512,
                                    .row_block = 20 * dot_mr,
                                    .element = 2,
                                    .pack_a = pack_words<dot_mr, 2>,
                                    .pack_b = pack_words<nr, 2>,
                                    .tile = dot_tile,
                                    .begin = nullptr,
                                    .end = nullptr};
constexpr MicroKernel amx_kernel = {.mr = 32,
                                    .nr = nr,
                                    .depth_unit = block,
                                    .depth_block = 512,
                                    .row_block = 512,
                                    .element = 2,
                                    .pack_a = pack_amx_rows,
                                    .pack_b = pack_words<nr, block>,
                                    .tile = amx_tile,
                                    .begin = amx_begin,
                                    .end = amx_end};

}  // namespace

const MicroKernel* bf16_kernel() {
  if (level() >= Level::amx) return &amx_kernel;
  return level() >= Level::avx512_bf16 ? &dot_kernel : nullptr;
}

}  // namespace fathom::cpu

#else

namespace fathom::cpu {

const MicroKernel* bf16_kernel() {
  return nullptr;
}

}  // namespace fathom::cpu

#endif
