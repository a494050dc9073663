// Which rows of which group (an expert, a sequence) a block computes: found on the device from the groups'
// first rows, so the host need not know them. It launches as many blocks as there can be tiles.
#pragma once
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

// Rows [row, end), all of one group; group < 0: there is no tile for this block.
struct RowTile {
  int group;
  int64_t row, end;
};

// Tile number `tile` when each group is divided into tiles of `height` rows. Called by whole warps.
__device__ inline RowTile find_row_tile(const int32_t* offsets, int E, int64_t tile, int height) {
  const int lane = threadIdx.x % warp_size;
  for (int first = 0; first < E; first += warp_size) {
    const int e = first + lane;
    const int begin = e < E ? offsets[e] : 0, end = e < E ? offsets[e + 1] : 0;
    const int tiles = (end - begin + height - 1) / height;
    const int before = warp_inclusive_sum(tiles);
    const int total = __shfl_sync(~0u, before, warp_size - 1);
    if (tile < total) {
      const unsigned past = __ballot_sync(~0u, before > tile);
      const int owner = __ffs(past) - 1;
      const int64_t in_group = tile - __shfl_sync(~0u, before - tiles, owner);
      const int64_t row = __shfl_sync(~0u, begin, owner) + in_group * height;
      const int64_t last = __shfl_sync(~0u, end, owner);
      return {first + owner, row, row + height < last ? row + height : last};
    }
    tile -= total;
  }
  return {-1, 0, 0};
}

// How many tiles there are. Called by whole warps.
__device__ inline int count_row_tiles(const int32_t* offsets, int E, int height) {
  int tiles = 0;
  for (int e = threadIdx.x % warp_size; e < E; e += warp_size)
    tiles += (offsets[e + 1] - offsets[e] + height - 1) / height;
  return warp_sum(tiles);
}

// Upper bound of the tiles for M rows in E groups.
inline int64_t max_row_tiles(int64_t M, int64_t E, int height) {
  return ceil_div(M, height) + std::min(M, E);
}

// The group of row n: the last one that starts at or before it, so empty groups are skipped.
__device__ inline int group_of(const int32_t* starts, int groups, int64_t n) {
  int low = 0, high = groups - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (starts[middle] <= n)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

}  // namespace fathom::cuda
