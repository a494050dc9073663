// What the driver in gemm.cpp needs from an instruction set: how operands are packed, and the product of two
// packed panels. A panel holds mr rows of op(A), or nr columns of op(B), along the whole depth K, in the
// order the micro-kernel reads them; rows and depth are filled up with zeros.
#pragma once
#include "ops/cpu/matmul/gemm.h"

namespace fathom::cpu {

// Rows of op(A), or columns of op(B): element (i, k), i < rows, k < depth. Consecutive k are adjacent in
// memory and consecutive i `stride` apart if by_row, else the other way round.
struct Strip {
  const void* data;
  DType dtype;
  int64_t stride;
  bool by_row;
  int64_t rows, depth;
};

struct Kernel {
  int64_t mr, nr;       // the micro-kernel's tile of C, at most max_tile x max_tile
  int64_t depth_unit;   // a panel's depth is a multiple of this
  int64_t depth_block;  // depth of one pass: an nr panel of it stays in the first-level cache
  int64_t row_block;    // rows of one pass: row_block x depth_block stays in the second-level cache
  int64_t element;      // bytes of a packed element
  void (*pack_a)(const Strip&, void* panels);
  void (*pack_b)(const Strip&, void* panels);
  // c = alpha * a b (+ c if add), a full tile; depth is a multiple of depth_unit.
  void (*tile)(int64_t depth, const void* a, const void* b, float* c, int64_t c_stride, float alpha,
               bool add);
  // Around any number of calls of tile on one thread; may be null.
  void (*begin)();
  void (*end)();
};
constexpr int64_t max_tile = 32;

// For the level in force; bf16_kernel is null below avx512_bf16 (bf16 is then widened while packing).
const Kernel& f32_kernel();
const Kernel& portable_kernel();
const Kernel* bf16_kernel();

// Few rows (decoding): columns [begin, end) of C straight from an unpacked B, read once. `a` is op(A) as
// contiguous f32 rows.
constexpr int64_t thin_rows = 8;
void thin_product(const Gemm& g, const float* a, int64_t begin, int64_t end);

// n numbers of a matrix, `step` apart, as f32; and f32 numbers rounded to bf16.
void widen_values(const void* x, DType dtype, int64_t step, int64_t n, float* out);
void round_values(const float* x, int64_t n, bf16* out);

}  // namespace fathom::cpu
