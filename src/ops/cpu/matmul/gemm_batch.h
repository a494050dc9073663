// A batch of GEMMs in rounds: blocks of C, as many as fit their packed operands into a pool of memory, are
// packed by all threads, then computed by all threads.
#pragma once
#include <array>

#include "ops/cpu/matmul/micro_kernel.h"

namespace fathom::cpu {

// How a GEMM is divided into blocks.
struct BlockShape {
  const MicroKernel* kernel = nullptr;  // null: a skinny GEMM, one block
  int64_t rows = 0, cols = 0, depth = 0;
  int64_t a_bytes = 0, b_bytes = 0, accumulator_bytes = 0;  // packed operands; f32 accumulator of a bf16 C

  int64_t bytes() const { return a_bytes + b_bytes + accumulator_bytes; }
};
// Chosen so that packed A, packed B and the accumulator each take at most about a quarter of `pool` bytes.
BlockShape block_shape(const Gemm& g, int64_t pool);

class GemmBatch {
 public:
  // pool: 64-byte aligned, at least as large as the largest block.
  GemmBatch(int threads, void* pool, int64_t pool_bytes)
      : threads_(threads), pool_(static_cast<std::byte*>(pool)), size_(pool_bytes) {}

  // Adds a GEMM; runs a round whenever the pool or the list of blocks is full.
  void add(const Gemm& g, const BlockShape& shape);
  // Runs the blocks that have been added.
  void run();

 private:
  // A block of C, or one slice of K of it.
  struct Block {
    const Gemm* g;
    const MicroKernel* kernel;
    int64_t row, rows, col, cols, k, depth, padded_depth;
    bool first, last;                          // of the slices of K
    std::byte *a, *b;                          // packed; for a skinny GEMM a is f32 rows and b is null
    float* accumulator;                        // of this block of C, or null
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

  void add_block(const Gemm& g, const BlockShape& shape, int64_t row, int64_t rows, int64_t col,
                 int64_t cols);
  void push(const Block& block);
  void cut_tasks();
  std::byte* take(int64_t bytes);

  int threads_;
  std::byte* pool_;
  int64_t size_, used_ = 0;
  int count_ = 0;
  std::array<Block, 128> blocks_;
};

}  // namespace fathom::cpu
