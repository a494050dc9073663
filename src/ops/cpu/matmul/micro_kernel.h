// The interface between the blocked GEMM and an instruction set, as in BLIS: how operands are packed, and the
// micro-kernel that multiplies two packed panels. A panel holds mr rows of op(A), or nr columns of op(B),
// along K in the order the micro-kernel reads them, padded with zeros. `depth` is an extent along K.
#pragma once
#include "ops/cpu/matmul/gemm.h"

namespace fathom::cpu {

// What to pack: rows of op(A), or columns of op(B). Element (i, k), i < rows, k < depth; consecutive k are
// adjacent in memory and consecutive i `stride` apart if by_row, else the opposite.
struct PackSource {
  const void* data;
  DType dtype;
  int64_t stride;
  bool by_row;
  int64_t rows, depth;
};

struct MicroKernel {
  int64_t mr, nr;       // the micro-kernel's tile of C, at most max_tile x max_tile
  int64_t depth_unit;   // a panel's depth is a multiple of this
  int64_t depth_block;  // depth of one pass: an nr panel of it stays in the L1 cache
  int64_t row_block;    // rows of one pass: row_block x depth_block stays in the L2 cache
  int64_t element;      // bytes of a packed element
  void (*pack_a)(const PackSource&, void* panels);
  void (*pack_b)(const PackSource&, void* panels);
  // c = alpha * a b (+ c if add), a full tile; depth is a multiple of depth_unit.
  void (*tile)(int64_t depth, const void* a, const void* b, float* c, int64_t c_stride, float alpha,
               bool add);
  // Called before and after any number of calls of tile on one thread; may be null.
  void (*begin)();
  void (*end)();
};
constexpr int64_t max_tile = 32;

// For the level in force; bf16_kernel is null below avx512_bf16 (bf16 is then converted to f32 while
// packing).
const MicroKernel& f32_kernel();
const MicroKernel& portable_kernel();
const MicroKernel* bf16_kernel();

// A skinny GEMM (decoding): columns [begin, end) of C from an unpacked B, read once. `a` is op(A) as
// contiguous f32 rows.
constexpr int64_t skinny_rows = 8;
void skinny_product(const Gemm& g, const float* a, int64_t begin, int64_t end);

// n elements of a matrix, `step` apart, to f32; and f32 rounded to bf16.
void convert_to_f32(const void* x, DType dtype, int64_t step, int64_t n, float* out);
void convert_to_bf16(const float* x, int64_t n, bf16* out);

}  // namespace fathom::cpu
