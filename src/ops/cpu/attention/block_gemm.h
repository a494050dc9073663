// GEMMs of small f32 blocks for attention, and the packing of their operands. A block is packed once and used
// several times; causal masks become a range of K per strip of rows and panel of columns, so nothing above
// the diagonal is computed. Included once per Highway target, like simd.h.
#if defined(FATHOM_OPS_CPU_BLOCK_GEMM_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FATHOM_OPS_CPU_BLOCK_GEMM_H_
#undef FATHOM_OPS_CPU_BLOCK_GEMM_H_
#else
#define FATHOM_OPS_CPU_BLOCK_GEMM_H_
#endif

#include <algorithm>

#include "ops/cpu/simd.h"
#include "ops/workspace_layout.h"

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

inline constexpr int64_t lanes = hn::MaxLanes(F32());
inline constexpr int64_t panel_width = 2 * lanes;
// Rows of C held in registers, two vectors each: 12 of 16 registers, 24 of 32 with AVX-512.
inline constexpr int strip_rows = HWY_TARGET <= HWY_AVX3 ? 12 : 6;

constexpr int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}
// A row length of at least n, whole panels, and an odd number of cache lines so that a column's elements
// spread over all cache sets.
constexpr int64_t padded(int64_t n) {
  return (round_up(n, std::max<int64_t>(panel_width, 16)) / 16 | 1) * 16;
}

using ScratchLayout = WorkspaceLayout<64>;

// A range of K.
struct Range {
  int64_t begin, end;
};

// Operand A: element (row, k) is data[row * ld + k], or data[k * ld + row] if transposed.
template <bool transposed>
struct OperandA {
  const float* data;
  int64_t ld;
};
// Operand B in panels: element k of column c of panel j is data[j * panel + k * ld + c].
struct OperandB {
  const float* data;
  int64_t ld, panel;
};

// c[R, V vectors] = or += a b.
template <int R, int V, bool transposed>
void tile(OperandA<transposed> a, const float* b, int64_t ldb, int64_t K, float* c, int64_t ldc, bool add) {
  const F32 d;
  Vec sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = hn::Zero(d);
  for (int64_t k = 0; k < K; ++k, b += ldb) {
    Vec right[V];
    for (int v = 0; v < V; ++v) right[v] = hn::LoadU(d, b + v * lanes);
    for (int r = 0; r < R; ++r) {
      const Vec left = hn::Set(d, transposed ? a.data[k * a.ld + r] : a.data[r * a.ld + k]);
      for (int v = 0; v < V; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
    }
  }
  // Unrolled, so that the sums stay in registers.
  HWY_UNROLL(24)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(2)
    for (int v = 0; v < V; ++v) {
      float* out = c + r * ldc + v * lanes;
      hn::StoreU(add ? hn::Add(sum[r][v], hn::LoadU(d, out)) : sum[r][v], d, out);
    }
  }
}

template <int R, int V, bool transposed>
void tile_of(int64_t rows, OperandA<transposed> a, const float* b, int64_t ldb, int64_t K, float* c,
             int64_t ldc, bool add) {
  if (rows == R) return tile<R, V>(a, b, ldb, K, c, ldc, add);
  if constexpr (R > 1) tile_of<R - 1, V>(rows, a, b, ldb, K, c, ldc, add);
}

// Height of the strips that `rows` rows are divided into: as few strips of at most `most` rows as possible,
// of even heights. 8 rows in strips of at most 6 become 4 and 4: a strip of 2 would not hide the latency of
// multiply-adds.
inline int64_t strip_height(int64_t rows, int64_t most = strip_rows) {
  const int64_t strips = (rows + most - 1) / most;
  return (rows + strips - 1) / strips;
}

// C = or += A B for `rows` rows and `panels` panels of V vectors. span(first row, end row, panel) is the
// range of K to compute for a tile of C; an empty range leaves the tile unchanged. C holds whole panels.
template <int V = 2, bool transposed, class Span>
void block_gemm(int64_t rows, int64_t panels, OperandA<transposed> a, OperandB b, float* c, int64_t ldc,
                bool add, const Span& span) {
  constexpr int most = V == 1 ? 2 * strip_rows : strip_rows;  // as many sums as the registers hold
  const int64_t height = strip_height(rows, most);
  for (int64_t j = 0; j < panels; ++j)
    for (int64_t r = 0; r < rows; r += height) {
      const int64_t end = std::min(rows, r + height);
      const Range k = span(r, end, j);
      if (k.begin >= k.end) continue;
      const OperandA<transposed> strip{a.data + (transposed ? r + k.begin * a.ld : r * a.ld + k.begin), a.ld};
      tile_of<most, V>(end - r, strip, b.data + j * b.panel + k.begin * b.ld, b.ld, k.end - k.begin,
                       c + r * ldc + j * V * lanes, ldc, add);
    }
}

// 2^x within 3e-8 for x up to 127, zero below -126.5 and for -infinity: a polynomial on [-1/2, 1/2], the
// integer part goes into the exponent. A softmax in base 2 avoids the extra multiplication of exp(x).
inline Vec exp2(F32 d, Vec x) {
  const hn::RebindToSigned<F32> integer;
  constexpr float c[] = {1.339985989e-3f, 9.618519805e-3f, 5.550329015e-2f, 0.2402264625f, 0.6931471825f, 1};
  x = hn::Max(hn::Set(d, -127), x);        // keeps NaN, the second operand
  const Vec shift = hn::Set(d, 12582912);  // 1.5 * 2^23: adding it rounds to a whole number, in the low bits
  const Vec shifted = hn::Add(x, shift), r = hn::Sub(x, hn::Sub(shifted, shift));
  Vec p = hn::Set(d, 1.533757604e-4f);
  for (float next : c) p = hn::MulAdd(p, r, hn::Set(d, next));
  const auto exponent =
      hn::Add(hn::ShiftLeft<23>(hn::BitCast(integer, shifted)), hn::Set(integer, 127 << 23));
  return hn::Mul(p, hn::BitCast(d, exponent));
}

// out = in * scale, converted.
template <class In, class Out>
void scale_row(const In* in, Out* out, int64_t n, float scale) {
  const F32 d;
  const Vec factor = hn::Set(d, scale);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(d, hn::Mul(load(d, in + i), factor), out + i);
  for (; i < n; ++i) out[i] = Out(to_float(in[i]) * scale);
}

// Rows of `in`, `stride` elements apart, as f32 rows `ld` apart.
template <class T>
void pack_rows(const T* in, int64_t stride, int64_t rows, int64_t cols, float* out, int64_t ld, float scale) {
  for (int64_t r = 0; r < rows; ++r) scale_row(in + r * stride, out + r * ld, cols, scale);
}

#if HWY_TARGET != HWY_SCALAR
// 4 consecutive elements as f32, in a 128-bit vector.
using Four = hn::FixedTag<float, 4>;
inline hn::Vec<Four> load_four(const float* p) {
  return hn::LoadU(Four(), p);
}
inline hn::Vec<Four> load_four(const bf16* p) {
  const hn::Rebind<uint16_t, Four> d16;
  const hn::RebindToUnsigned<Four> d32;
  const auto wide = hn::PromoteTo(d32, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(p)));
  return hn::BitCast(Four(), hn::ShiftLeft<16>(wide));
}

template <class T>
void transpose_four(const T* in, int64_t stride, float* out, int64_t ld) {
  const Four d;
  const auto a = load_four(in), b = load_four(in + stride), c = load_four(in + 2 * stride),
             e = load_four(in + 3 * stride);
  const auto ac_low = hn::InterleaveLower(d, a, c), ac_high = hn::InterleaveUpper(d, a, c);
  const auto be_low = hn::InterleaveLower(d, b, e), be_high = hn::InterleaveUpper(d, b, e);
  hn::StoreU(hn::InterleaveLower(d, ac_low, be_low), d, out);
  hn::StoreU(hn::InterleaveUpper(d, ac_low, be_low), d, out + ld);
  hn::StoreU(hn::InterleaveLower(d, ac_high, be_high), d, out + 2 * ld);
  hn::StoreU(hn::InterleaveUpper(d, ac_high, be_high), d, out + 3 * ld);
}
#endif

// The transpose of `in` as operand B: row r of `in` becomes column r % width of panel r / width. Columns
// after the last row are not written; columns do not affect each other.
template <class T>
void pack_transposed(const T* in, int64_t stride, int64_t rows, int64_t cols, float* out, int64_t panel,
                     int64_t width) {
  constexpr int64_t group = std::min<int64_t>(4, lanes);
  for (int64_t r = 0; r < rows; r += group) {
    float* column = out + r / width * panel + r % width;
    const T* first = in + r * stride;
    int64_t c = 0;
#if HWY_TARGET != HWY_SCALAR
    if (r + 4 <= rows)
      for (; c + 4 <= cols; c += 4) transpose_four(first + c, stride, column + c * width, width);
#endif
    for (; c < cols; ++c)
      for (int64_t i = 0; i < std::min(group, rows - r); ++i)
        column[c * width + i] = to_float(first[i * stride + c]);
  }
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
