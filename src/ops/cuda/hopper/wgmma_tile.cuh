// Tiles of 128 x 256 of products of bf16 matrices by Hopper's warpgroup instruction, f32 sums, one tile after
// another. Two warpgroups multiply, each a half of the rows; one more warp copies for them, ahead by as many
// stages as shared memory holds, across the border from tile to tile.
#pragma once
#include "ops/cuda/grouped_tile.cuh"
#include "ops/cuda/hopper/box_copy.cuh"

namespace fathom::cuda {

// *_along_depth: that operand's rows run along the depth; otherwise they are steps of it.
template <bool a_along_depth, bool b_along_depth>
class WgmmaTile {
 public:
  static constexpr int rows = 128, cols = 256, depth_step = box_width;
  static constexpr int threads = copying_block;

  // A tile's first row and column, the matrix of b, and what part of the depth is to be summed up.
  struct Place {
    int64_t row, col;
    int matrix;
    int64_t begin, end;
  };

 private:
  static constexpr int stages = 4;
  static constexpr int a_elements = rows * depth_step, b_elements = cols * depth_step;
  struct Shared {
    Bf16 boxes[stages][a_elements + b_elements];
    std::byte out[multiplying / warp_size][4096];
    Gates<stages> gates;
  };

 public:
  static constexpr size_t shared_bytes = memory_bytes<Shared>;

  static CUtensorMap map_a(const Matrices& m) { return box_map(m, a_along_depth ? rows : depth_step); }
  static CUtensorMap map_b(const Matrices& m) { return box_map(m, b_along_depth ? cols : depth_step); }

  __device__ explicit WgmmaTile(void* memory) : shared_(memory_at<Shared>(memory)) {}

  // All tiles of this block: tiles(visit) calls visit(place, write) for one after another, and threads that
  // have sums call write() when they are complete.
  template <class Tiles>
  __device__ void run(const CUtensorMap& a, const CUtensorMap& b, const Tiles& tiles) {
    if constexpr (wgmma_here) {
      const auto copy_all = [&] {
        tiles([&](const Place& at, const auto&) {
          if (threadIdx.x == multiplying) copy(a, b, at);
          __syncwarp();
        });
      };
      const auto multiply_all = [&] {
        tiles([&](const Place& at, const auto& write) {
          multiply(at);
          write();
        });
        ::cuda::ptx::cp_async_bulk_wait_group_read(::cuda::ptx::n32_t<0>{});  // of add_to()
      };
      share_work<232, 40>([&] { shared_.gates.init(); }, copy_all, multiply_all);
    }
  }

  // What is summed up, rounded, as rows of c, whose rows begin at multiples of 16 bytes. valid_*: what there
  // is of the tile, columns in eights.
  __device__ void store(Bf16* c, int64_t stride, int64_t valid_rows, int64_t valid_cols) const {
    constexpr int chunk = 16 / sizeof(Bf16), chunks = box_width / chunk;
    const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
    Bf16* piece = reinterpret_cast<Bf16*>(shared_.out[warp]);
#pragma unroll
    for (int first = 0; first < cols; first += box_width) {
#pragma unroll
      for (int i = 0; i < chunks; i += 2)
        store_matrices(chunk_of(piece, lane % 16, i + lane / 16),
                       as_left(sums_[first / 8 + i], sums_[first / 8 + i + 1]));
      __syncwarp();
#pragma unroll
      for (int i = lane; i < 16 * chunks; i += warp_size) {
        const int row = warp * 16 + i / chunks, col = first + i % chunks * chunk;
        if (row < valid_rows && col < valid_cols)
          *reinterpret_cast<uint4*>(c + row * stride + col) =
              *reinterpret_cast<const uint4*>(chunk_of(piece, i / chunks, i % chunks));
      }
      __syncwarp();
    }
  }

  // The sums are added to a matrix of `map` by the copy engine.
  static CUtensorMap map_sums(const Matrices& m) {
    return box_map(m, 16);
  }
  __device__ void add_to(const CUtensorMap& map, int64_t row, int64_t col, int matrix) {
    constexpr int width = box_line_bytes / sizeof(float);
    const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
#pragma unroll
    for (int first = 0; first < cols; first += width) {
      float* piece = reinterpret_cast<float*>(shared_.out[warp]) + first / width % 2 * 16 * width;
      if (lane == 0) ::cuda::ptx::cp_async_bulk_wait_group_read(::cuda::ptx::n32_t<1>{});
      __syncwarp();
#pragma unroll
      for (int i = 0; i < width / 8; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          store_pair(chunk_of(piece, lane / 4 + 8 * half, 2 * i + lane % 4 / 2) + lane % 2 * 2,
                     make_float2(sums_[first / 8 + i][2 * half], sums_[first / 8 + i][2 * half + 1]));
        }
      publish_boxes();
      __syncwarp();
      if (lane == 0) {
        const int32_t to[] = {static_cast<int32_t>(col) + first, static_cast<int32_t>(row) + warp * 16,
                              matrix};
        ::cuda::ptx::cp_reduce_async_bulk_tensor(::cuda::ptx::space_global, ::cuda::ptx::space_shared,
                                                 ::cuda::ptx::op_add, &map, to, piece);
        ::cuda::ptx::cp_async_bulk_commit_group();
      }
    }
  }

 private:
  Shared& shared_;
  Turn<stages> turn_;
  float sums_[cols / 8][4];

  __device__ void copy(const CUtensorMap& a, const CUtensorMap& b, const Place& at) {
    for (int64_t depth = at.begin; depth < at.end; depth += depth_step, turn_.next()) {
      Bf16* boxes = shared_.boxes[turn_.stage];
      Gate& full = shared_.gates.full[turn_.stage];
      shared_.gates.empty[turn_.stage].wait(turn_.parity ^ 1);
      full.arrive_and_expect((a_elements + b_elements) * sizeof(Bf16));
      copy_operand<rows, a_along_depth>(full, boxes, a, at.row, depth, 0);
      copy_operand<cols, b_along_depth>(full, boxes + a_elements, b, at.col, depth, at.matrix);
    }
  }
  // width: of the tile across the depth.
  template <int width, bool along_depth>
  __device__ static void copy_operand(Gate& full, Bf16* boxes, const CUtensorMap& map, int64_t across,
                                      int64_t depth, int matrix) {
    if constexpr (along_depth)
      full.copy_box(boxes, map, depth, across, matrix);
    else
      for (int i = 0; i < width; i += box_width)
        full.copy_box(boxes + i * depth_step, map, across + i, depth, matrix);
  }

  __device__ void multiply(const Place& at) {
    int before = 0;  // the stage
    for (int64_t depth = at.begin; depth < at.end; depth += depth_step, turn_.next()) {
      shared_.gates.full[turn_.stage].wait(turn_.parity);
      if (!a_along_depth &&
          at.end - depth < depth_step) {  // what follows it in memory is there: zeros instead
        clear_lines<depth_step>(shared_.boxes[turn_.stage], a_elements + b_elements, at.end - depth);
        wait_for_cleared();
      }
      multiply_stage(depth > at.begin);
      products_wait<1>();
      if (depth > at.begin) shared_.gates.release(before);
      before = turn_.stage;
    }
    products_wait<0>();
    products_written(sums_);
    shared_.gates.release(before);
  }

  __device__ void multiply_stage(bool add_to) {
    const int half = threadIdx.x / warpgroup_size;
    const Bf16 *boxes = shared_.boxes[turn_.stage], *a = boxes + half * (a_elements / 2),
               *b = boxes + a_elements;
    const BoxOperand left =
                         a_along_depth ? BoxOperand::along_depth(a) : BoxOperand::across_depth(a, depth_step),
                     right =
                         b_along_depth ? BoxOperand::along_depth(b) : BoxOperand::across_depth(b, depth_step);
    products_begin();
#pragma unroll
    for (int k = 0; k < depth_step; k += 16)
      cuda::multiply<!a_along_depth, !b_along_depth>(
          sums_, left + (a_along_depth ? step_along(k, rows) : step_across(k)),
          right + (b_along_depth ? step_along(k, cols) : step_across(k)), add_to || k > 0);
    products_commit();
  }
};

}  // namespace fathom::cuda
