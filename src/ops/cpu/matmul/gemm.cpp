#include "ops/cpu/matmul/gemm.h"

#include <algorithm>

#include "ops/cpu/matmul/gemm_batch.h"

namespace fathom::cpu {
namespace {

constexpr int64_t depth_limit = 1152;               // of a packed block
constexpr int64_t side_limit = 4096;                // of a block of C
constexpr int64_t accumulator_side = 1024;          // of a block of C that has an accumulator
constexpr int64_t skinny_depth = int64_t{1} << 16;  // a skinny GEMM is one block
constexpr int64_t serial_pool = int64_t{2} << 20;

int64_t round_up(int64_t n, int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Near-equal parts of n, none above `limit`, each a multiple of unit.
int64_t even_part(int64_t n, int64_t limit, int64_t unit) {
  limit = std::max(limit / unit * unit, unit);
  const int64_t parts = std::max<int64_t>((n + limit - 1) / limit, 1);
  return round_up((n + parts - 1) / parts, unit);
}

// Room for the packed operands and accumulators of two to four blocks.
int64_t shared_pool(int threads) {
  return (int64_t{16} << 20) * std::clamp(threads / 4, 1, 8);
}

}  // namespace

BlockShape block_shape(const Gemm& g, int64_t pool) {
  if (g.M <= skinny_rows && g.K <= skinny_depth)
    return {.kernel = nullptr,
            .rows = g.M,
            .cols = g.N,
            .depth = g.K,
            .a_bytes = round_up(g.M * g.K * 4, 64),
            .b_bytes = 0,
            .accumulator_bytes = 0};
  const bool both_bf16 = g.a.dtype == DType::bf16 && g.b.dtype == DType::bf16;
  const MicroKernel* kernel = both_bf16 ? bf16_kernel() : nullptr;
  if (!kernel) kernel = &f32_kernel();
  BlockShape s;
  s.kernel = kernel;
  s.depth = even_part(g.K, depth_limit, kernel->depth_block);
  const int64_t depth = std::min(s.depth, round_up(g.K, kernel->depth_unit));
  const int64_t side = pool / 4 / std::max<int64_t>(depth * kernel->element, 1);
  const bool accumulator = g.c_dtype != DType::f32;
  s.rows = even_part(g.M, std::min(side, accumulator ? accumulator_side : side_limit), kernel->mr);
  const int64_t accumulator_cols = pool / 4 / (4 * s.rows);
  s.cols = even_part(g.N, std::min(side, accumulator ? accumulator_cols : side_limit), kernel->nr);
  s.a_bytes = round_up(s.rows * depth * kernel->element, 64);
  s.b_bytes = round_up(s.cols * depth * kernel->element, 64);
  s.accumulator_bytes = accumulator ? round_up(s.rows * s.cols * 4, 64) : 0;
  return s;
}

void gemm_batch(Device& device, std::span<const Gemm> batch) {
  const int64_t pool = shared_pool(device.threads());
  int64_t needed = 0;
  for (const Gemm& g : batch) needed = std::min(needed + 4 * block_shape(g, pool).bytes(), pool);
  GemmBatch round(device.threads(), device.shared_scratch(needed), needed);
  for (const Gemm& g : batch) round.add(g, block_shape(g, pool));
  round.run();
}

size_t gemm_scratch(const Gemm& g) {
  return block_shape(g, serial_pool).bytes();
}

void gemm_serial(const Gemm& g, void* scratch) {
  const BlockShape shape = block_shape(g, serial_pool);
  GemmBatch round(1, scratch, shape.bytes());
  round.add(g, shape);
  round.run();
}

}  // namespace fathom::cpu
