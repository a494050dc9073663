// One round of a batch of matrix products: pieces of C, small enough that their packed operands fit into a
// pool of memory, are packed by all threads, then computed by all threads.
#pragma once
#include <array>

#include "ops/cpu/matmul/gemm_kernel.h"

namespace fathom::cpu {

// Sizes of the pieces that a product is cut into.
struct PieceShape {
  const Kernel* kernel = nullptr;  // null: a thin product, whole
  int64_t rows = 0, cols = 0, depth = 0;
  int64_t a_bytes = 0, b_bytes = 0, image_bytes = 0;  // packed operands; f32 image of a bf16 C

  int64_t bytes() const { return a_bytes + b_bytes + image_bytes; }
};
// Cut so that each of a piece's three blocks takes at most about a quarter of `pool` bytes.
PieceShape piece_shape(const Gemm& g, int64_t pool);

class Round {
 public:
  // pool: 64-byte aligned, at least as large as the largest piece.
  Round(int threads, void* pool, int64_t pool_bytes)
      : threads_(threads), pool_(static_cast<std::byte*>(pool)), size_(pool_bytes) {}

  // Takes a product up, running rounds whenever the pool or the list of pieces is full.
  void add(const Gemm& g, const PieceShape& shape);
  // Runs what has been taken up.
  void run();

 private:
  // A block of C, or one stretch of the depth of it.
  struct Piece {
    const Gemm* g;
    const Kernel* kernel;
    int64_t row, rows, col, cols, k, depth, padded_depth;
    bool first, last;                          // of the stretches
    std::byte *a, *b;                          // packed; for a thin product a is f32 rows and b is null
    float* image;                              // of this block of C, or null
    int64_t row_block = 0, col_block = 0;      // of a compute task
    int64_t a_rows = 0, b_cols = 0;            // of a packing task
    int64_t packing_end = 0, compute_end = 0;  // one past the number of the last task

    double work() const;
    int64_t a_tasks() const;
    int64_t b_tasks() const;
    int64_t col_tasks() const;
    void pack(int64_t task) const;
    void compute(int64_t task) const;
    void product(int64_t i, int64_t m, int64_t j, int64_t n, float* c, int64_t c_stride, bool add) const;
  };

  void add_block(const Gemm& g, const PieceShape& shape, int64_t row, int64_t rows, int64_t col,
                 int64_t cols);
  void push(const Piece& piece);
  void cut_tasks();
  std::byte* take(int64_t bytes);

  int threads_;
  std::byte* pool_;
  int64_t size_, used_ = 0;
  int count_ = 0;
  std::array<Piece, 128> pieces_;
};

}  // namespace fathom::cpu
