// Products of few rows of x with an expert's matrix, for Hopper: the time is that of reading the matrix once.
// The operands are swapped: 64 rows of the matrix are the A of a wgmma and the rows of x its B, 8, 16, 32 or
// 64 of them. One block per multiprocessor computes tile after tile; a producer warp loads with TMA, `stages`
// steps of K ahead, also across tiles. A row's sums have the same order whatever rows there are beside it.
#pragma once
#include "ops/cuda/hopper/pipeline.cuh"
#include "ops/cuda/row_tile.cuh"

namespace fathom::cuda {

// Up to this many rows an expert, on average: few experts then have more than one tile of 64 rows, which
// reads the matrix again. Beyond, tiles of 128 rows are faster.
constexpr int64_t few_rows_per_expert = 48;
// Up to this many rows in all, kernels with small blocks are faster (skinny_gemm.cuh): they start beside the
// shared experts and before the kernel before them has ended.
constexpr int64_t fewest_rows = 16;

// Whether M sorted rows, aligned to 16 bytes as the matrices and the outputs are, can be multiplied here.
inline bool suits_few_rows(const Device& device, int64_t M, int64_t E, int64_t K) {
  return has_wgmma(device) && M > fewest_rows && M <= few_rows_per_expert * E && K > 0;
}

// A tile: up to 64 rows of x times two panels of the matrix, of 64 rows per warpgroup. gathered: the rows of
// x are anywhere, and loaded one by one; otherwise they follow one another.
template <int warpgroups, bool gathered>
class FewRowsGemm {
 public:
  static constexpr int rows = 64, panels = 2, warpgroup_rows = 64, panel_rows = warpgroup_rows * warpgroups,
                       block_k = swizzle_width;
  static constexpr int consumers = warpgroups * warpgroup_size, threads = consumers + warp_size;

  struct WorkTile {
    RowTile x;              // its group is the expert
    int64_t panel[panels];  // their first rows in the matrix
  };

 private:
  static constexpr int stages = warpgroups == 1 ? 9 : 5;
  static constexpr int box_rows = gathered ? 1 : 8, boxes_per_lane = gathered ? rows / warp_size : 1;
  static constexpr int panel_elements = panel_rows * block_k, box_elements = box_rows * block_k;
  struct Stage {
    Bf16 w[panels][panel_elements];
    Bf16 x[rows * block_k];
  };
  struct SharedStorage {
    Stage stage[stages];
    PipelineBarriers<stages, false, consumers> barriers;
  };

 public:
  static constexpr size_t shared_bytes = shared_bytes_of<SharedStorage>;

  static CUtensorMap tensor_map_w(const MatrixBatch& m) { return make_tensor_map(m, panel_rows); }
  static CUtensorMap tensor_map_x(const MatrixBatch& m) { return make_tensor_map(m, box_rows); }

  // row_of_x: where gathered rows are.
  __device__ FewRowsGemm(void* memory, const CUtensorMap& w, const CUtensorMap& x, const int32_t* row_of_x,
                         int64_t K)
      : shared_(shared_storage_at<SharedStorage>(memory)), w_(w), x_(x), row_of_x_(row_of_x), K_(K) {}

  // for_each_tile(visit) calls visit(tile, epilogue) for all tiles of this block; consumers call
  // epilogue(accumulators) when they are complete, see store_transposed().
  template <class ForEachTile>
  __device__ void run(const ForEachTile& for_each_tile) {
    if (compiled_for_sm90a) {
      if (threadIdx.x == 0) shared_.barriers.init();
      fence_proxy_async();
      __syncthreads();
      wait_for_previous_kernel();
      if (threadIdx.x >= consumers)
        for_each_tile([&](const WorkTile& tile, const auto&) { load_tile(tile); });
      else
        for_each_tile([&](const WorkTile& tile, const auto& epilogue) {
          const int64_t height = tile.x.end - tile.x.row;
          if (height <= 8)
            compute_tile<1>(epilogue);
          else if (height <= 16)
            compute_tile<2>(epilogue);
          else if (height <= 32)
            compute_tile<4>(epilogue);
          else
            compute_tile<8>(epilogue);
        });
    }
  }

  // Epilogue: element(j, i), the value for accumulators [j][i], as rows of `out`, of which valid_rows and
  // valid_cols are inside. Rows begin at multiples of 4 bytes; columns are even.
  template <int n8, class Element>
  __device__ static void store_transposed(Bf16* out, int64_t stride, int64_t valid_rows, int64_t valid_cols,
                                          const Element& element) {
    const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int j = 0; j < n8; ++j) {
        const uint32_t pair = transpose_8x8(pack_bf16x2(element(j, 2 * half), element(j, 2 * half + 1)));
        const int row = 8 * j + lane / 4, col = 16 * warp + 8 * half + 2 * (lane % 4);
        if (row < valid_rows && col < valid_cols)
          *reinterpret_cast<uint32_t*>(out + row * stride + col) = pair;
      }
  }

 private:
  SharedStorage& shared_;
  const CUtensorMap &w_, &x_;
  const int32_t* row_of_x_;
  int64_t K_;
  PipelineState<stages> state_;

  __device__ void load_tile(const WorkTile& tile) {
    const int lane = threadIdx.x % warp_size;
    const int boxes = (static_cast<int>(tile.x.end - tile.x.row) + box_rows - 1) / box_rows;
    int64_t first_row[boxes_per_lane];  // of this lane's boxes
#pragma unroll
    for (int i = 0; i < boxes_per_lane; ++i) {
      const int box = lane + i * warp_size;
      first_row[i] = box >= boxes ? -1 : gathered ? row_of_x_[tile.x.row + box] : tile.x.row + box * box_rows;
    }
    for (int64_t k = 0; k < K_; k += block_k, state_.advance()) {
      Stage& stage = shared_.stage[state_.stage];
      Barrier& full = shared_.barriers.full[state_.stage];
      shared_.barriers.empty[state_.stage].wait(state_.parity ^ 1);
      if (lane == 0) {
        full.arrive_expect_tx((panels * panel_elements + boxes * box_elements) * sizeof(Bf16));
        for (int i = 0; i < panels; ++i) tma_load(full, stage.w[i], w_, k, tile.panel[i], tile.x.group);
      }
      __syncwarp();
#pragma unroll
      for (int i = 0; i < boxes_per_lane; ++i)
        if (first_row[i] >= 0)
          tma_load(full, stage.x + (lane + i * warp_size) * box_elements, x_, k, first_row[i], 0);
    }
  }

  template <int n8, class Epilogue>
  __device__ void compute_tile(const Epilogue& epilogue) {
    float c[panels][n8][4];
    int previous = 0;  // stage
    for (int64_t k = 0; k < K_; k += block_k, state_.advance()) {
      shared_.barriers.full[state_.stage].wait(state_.parity);
      issue_stage(c, k > 0);
      warpgroup_wait<1>();
      if (k > 0) shared_.barriers.consumer_release(previous);
      previous = state_.stage;
    }
    warpgroup_wait<0>();
#pragma unroll
    for (auto& panel : c) warpgroup_fence_operand(panel);
    shared_.barriers.consumer_release(previous);
    epilogue(c);
  }

  // The wgmmas of one stage, as one group.
  template <int n8>
  __device__ void issue_stage(float (&c)[panels][n8][4], bool accumulate) {
    const Stage& stage = shared_.stage[uniform(state_.stage)];
    const int offset = warpgroup_index() * (warpgroup_rows * block_k);
    const SmemDescriptor x = SmemDescriptor::k_major(stage.x);
    warpgroup_arrive();
#pragma unroll
    for (int k = 0; k < block_k; k += 16)
#pragma unroll
      for (int i = 0; i < panels; ++i)
        wgmma<false, false>(c[i],
                            SmemDescriptor::k_major(stage.w[i] + offset) + k_major_offset(k, panel_rows),
                            x + k_major_offset(k, rows), accumulate || k > 0);
    warpgroup_commit();
  }
};

// body(std::integral_constant<int, warpgroups>): two, unless their tiles, of which there are at most `tiles`
// with one, leave multiprocessors with less than two each.
template <class Body>
void with_warpgroups(const Device& device, int64_t tiles, const Body& body) {
  if (tiles >= 4 * device.cuda_context().multiprocessors())
    body(std::integral_constant<int, 2>());
  else
    body(std::integral_constant<int, 1>());
}

}  // namespace fathom::cuda
