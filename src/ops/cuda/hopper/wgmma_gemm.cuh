// A persistent GEMM of bf16 matrices with wgmma: a block computes one 128 x 256 tile of C after another, f32
// accumulation. Two consumer warpgroups take half of the rows each; a producer warp loads A and B with TMA,
// up to `stages` steps of K ahead, also across tiles.
#pragma once
#include "ops/cuda/hopper/pipeline.cuh"

namespace fathom::cuda {

// *_k_major: that operand's rows in memory run along K; otherwise they are steps of K. b_panels: the columns
// of a tile are one range of B, or two of half the width (B K-major), as gate and up of the same columns.
template <bool a_k_major, bool b_k_major, int b_panels = 1>
class WgmmaGemm {
  static_assert(b_panels == 1 || b_k_major);

 public:
  static constexpr int rows = 128, cols = 256, block_k = swizzle_width;
  static constexpr int panel_cols = cols / b_panels;
  static constexpr int threads = specialized_threads;

  // A tile of C: its first row, the first column of each panel, the matrix of B, and the range of K. An empty
  // range, which only an A and B that are not K-major may have, takes one step of zeros.
  struct WorkTile {
    int64_t row, col[b_panels];
    int matrix;
    int64_t k_begin, k_end;

    __device__ int64_t steps_end() const { return max(k_end, k_begin + 1); }
  };

 private:
  static constexpr int stages = 4;
  static constexpr int a_elements = rows * block_k, b_elements = cols * block_k;
  struct SharedStorage {
    Bf16 boxes[stages][a_elements + b_elements];
    std::byte out[consumer_threads / warp_size][4096];  // staging of the epilogue, per warp
    PipelineBarriers<stages> barriers;
  };

 public:
  static constexpr size_t shared_bytes = shared_bytes_of<SharedStorage>;

  static CUtensorMap tensor_map_a(const MatrixBatch& m) {
    return make_tensor_map(m, a_k_major ? rows : block_k);
  }
  static CUtensorMap tensor_map_b(const MatrixBatch& m) {
    return make_tensor_map(m, b_k_major ? panel_cols : block_k);
  }

  __device__ explicit WgmmaGemm(void* memory) : shared_(shared_storage_at<SharedStorage>(memory)) {}

  // for_each_tile(visit) calls visit(tile, epilogue) for all tiles of this block; consumers call epilogue()
  // when the tile's accumulators are complete.
  template <class ForEachTile>
  __device__ void run(const CUtensorMap& a, const CUtensorMap& b, const ForEachTile& for_each_tile) {
    if constexpr (compiled_for_sm90a) {
      const auto produce = [&] {
        for_each_tile([&](const WorkTile& tile, const auto&) {
          if (threadIdx.x == consumer_threads) load_tile(a, b, tile);
          __syncwarp();
        });
      };
      const auto consume = [&] {
        for_each_tile([&](const WorkTile& tile, const auto& epilogue) {
          compute_tile(tile);
          epilogue();
        });
        ::cuda::ptx::cp_async_bulk_wait_group_read(::cuda::ptx::n32_t<0>{});  // of store()
      };
      warp_specialize<232, 40>([&] { shared_.barriers.init(); }, produce, consume);
    }
  }

  // Epilogue: the accumulators rounded to bf16, as rows of c, whose rows begin at multiples of 16 bytes.
  // valid_*: the part of the tile inside C, columns a multiple of 8.
  __device__ void store(Bf16* c, int64_t stride, int64_t valid_rows, int64_t valid_cols) const {
    store_columns<cols>(c, stride, valid_rows, valid_cols,
                        [&](int eight, int i) { return accumulators_[eight][i]; });
  }
  // The same of combine(first panel's accumulator, second panel's) instead.
  template <class Combine>
  __device__ void store_combined(Bf16* c, int64_t stride, int64_t valid_rows, int64_t valid_cols,
                                 const Combine& combine) const {
    static_assert(b_panels == 2);
    store_columns<panel_cols>(c, stride, valid_rows, valid_cols, [&](int eight, int i) {
      return combine(accumulators_[eight][i], accumulators_[eight + panel_cols / 8][i]);
    });
  }

  // Epilogue: C (=|+=) accumulators, with TMA. `map` is of the f32 matrices C.
  static CUtensorMap tensor_map_c(const MatrixBatch& m) { return make_tensor_map(m, 16); }
  __device__ void store(const CUtensorMap& map, int64_t row, int64_t col, int matrix, bool accumulate) {
    constexpr int width = swizzle_bytes / sizeof(float);
    const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
#pragma unroll
    for (int first = 0; first < cols; first += width) {
      float* staging = reinterpret_cast<float*>(shared_.out[warp]) + first / width % 2 * 16 * width;
      if (lane == 0) ::cuda::ptx::cp_async_bulk_wait_group_read(::cuda::ptx::n32_t<1>{});
      __syncwarp();
#pragma unroll
      for (int i = 0; i < width / 8; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          store_pair(swizzled_chunk(staging, lane / 4 + 8 * half, 2 * i + lane % 4 / 2) + lane % 2 * 2,
                     make_float2(accumulators_[first / 8 + i][2 * half],
                                 accumulators_[first / 8 + i][2 * half + 1]));
        }
      fence_proxy_async();
      __syncwarp();
      if (lane == 0) {
        const int32_t coordinates[] = {static_cast<int32_t>(col) + first,
                                       static_cast<int32_t>(row) + warp * 16, matrix};
        if (accumulate)
          ::cuda::ptx::cp_reduce_async_bulk_tensor(::cuda::ptx::space_global, ::cuda::ptx::space_shared,
                                                   ::cuda::ptx::op_add, &map, coordinates, staging);
        else
          ::cuda::ptx::cp_async_bulk_tensor(::cuda::ptx::space_global, ::cuda::ptx::space_shared, &map,
                                            coordinates, staging);
        ::cuda::ptx::cp_async_bulk_commit_group();
      }
    }
  }

 private:
  SharedStorage& shared_;
  PipelineState<stages> state_;
  float accumulators_[cols / 8][4];

  // value(n, i): accumulator i of columns 8 n .. 8 n + 7.
  template <int width, class Value>
  __device__ void store_columns(Bf16* c, int64_t stride, int64_t valid_rows, int64_t valid_cols,
                                const Value& value) const {
    constexpr int chunk = 16 / sizeof(Bf16), chunks = swizzle_width / chunk;
    const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
    Bf16* staging = reinterpret_cast<Bf16*>(shared_.out[warp]);
    const auto four = [&](float(&to)[4], int eight) {
#pragma unroll
      for (int i = 0; i < 4; ++i) to[i] = value(eight, i);
    };
#pragma unroll
    for (int first = 0; first < width; first += swizzle_width) {
#pragma unroll
      for (int i = 0; i < chunks; i += 2) {
        float left[4], right[4];
        four(left, first / 8 + i), four(right, first / 8 + i + 1);
        stmatrix_x4(swizzled_chunk(staging, lane % 16, i + lane / 16), as_a_fragment(left, right));
      }
      __syncwarp();
#pragma unroll
      for (int i = lane; i < 16 * chunks; i += warp_size) {
        const int row = warp * 16 + i / chunks, col = first + i % chunks * chunk;
        if (row < valid_rows && col < valid_cols)
          *reinterpret_cast<uint4*>(c + row * stride + col) =
              *reinterpret_cast<const uint4*>(swizzled_chunk(staging, i / chunks, i % chunks));
      }
      __syncwarp();
    }
  }

  __device__ void load_tile(const CUtensorMap& a, const CUtensorMap& b, const WorkTile& tile) {
    for (int64_t k = tile.k_begin; k < tile.steps_end(); k += block_k, state_.advance()) {
      Bf16* boxes = shared_.boxes[state_.stage];
      Barrier& full = shared_.barriers.full[state_.stage];
      shared_.barriers.empty[state_.stage].wait(state_.parity ^ 1);
      full.arrive_expect_tx((a_elements + b_elements) * sizeof(Bf16));
      load_operand<rows, a_k_major>(full, boxes, a, tile.row, k, 0);
#pragma unroll
      for (int panel = 0; panel < b_panels; ++panel)
        load_operand<panel_cols, b_k_major>(full, boxes + a_elements + panel * panel_cols * block_k, b,
                                            tile.col[panel], k, tile.matrix);
    }
  }
  // width: the tile's rows of A, or columns of B; mn: the first of them.
  template <int width, bool k_major>
  __device__ static void load_operand(Barrier& full, Bf16* boxes, const CUtensorMap& map, int64_t mn,
                                      int64_t k, int matrix) {
    if constexpr (k_major)
      tma_load(full, boxes, map, k, mn, matrix);
    else
      for (int i = 0; i < width; i += swizzle_width)
        tma_load(full, boxes + i * block_k, map, mn + i, k, matrix);
  }

  __device__ void compute_tile(const WorkTile& tile) {
    int previous = 0;  // stage
    for (int64_t k = tile.k_begin; k < tile.steps_end(); k += block_k, state_.advance()) {
      shared_.barriers.full[state_.stage].wait(state_.parity);
      if (!a_k_major && tile.k_end - k < block_k) {  // the rows after k_end belong to the next expert
        zero_rows<block_k>(shared_.boxes[state_.stage], a_elements + b_elements, tile.k_end - k);
        consumer_sync();
      }
      issue_stage(k > tile.k_begin);
      warpgroup_wait<1>();
      if (k > tile.k_begin) shared_.barriers.consumer_release(previous);
      previous = state_.stage;
    }
    warpgroup_wait<0>();
    warpgroup_fence_operand(accumulators_);
    shared_.barriers.consumer_release(previous);
  }

  // The wgmmas of one stage, as one group.
  __device__ void issue_stage(bool accumulate) {
    const int half = threadIdx.x / warpgroup_size;
    const Bf16 *boxes = shared_.boxes[state_.stage], *a = boxes + half * (a_elements / 2),
               *b = boxes + a_elements;
    const SmemDescriptor a_operand =
                             a_k_major ? SmemDescriptor::k_major(a) : SmemDescriptor::mn_major(a, block_k),
                         b_operand =
                             b_k_major ? SmemDescriptor::k_major(b) : SmemDescriptor::mn_major(b, block_k);
    warpgroup_arrive();
#pragma unroll
    for (int k = 0; k < block_k; k += 16)
      wgmma<!a_k_major, !b_k_major>(
          accumulators_, a_operand + (a_k_major ? k_major_offset(k, rows) : mn_major_offset(k)),
          b_operand + (b_k_major ? k_major_offset(k, cols) : mn_major_offset(k)), accumulate || k > 0);
    warpgroup_commit();
  }
};

}  // namespace fathom::cuda
