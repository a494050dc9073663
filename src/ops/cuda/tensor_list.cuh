// Multi-tensor launches: tensors of any sizes are cut into chunks of the same number of elements, a block per
// chunk. One launch takes as many tensors as fit into its arguments.
#pragma once
#include <algorithm>
#include <span>

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

constexpr int64_t chunk_elements = 1 << 16;

// Item: what a kernel needs of a tensor, including its `count` of elements.
template <class Item>
struct TensorList {
  static constexpr int most = 3072 / (sizeof(Item) + sizeof(int));
  Item items[most];
  int first_block[most];
  int size = 0;

  struct Chunk {
    Item item;
    int64_t begin, end;
  };
  __device__ Chunk chunk() const {
    int i = 0;
    for (int high = size; high - i > 1;) {
      const int middle = (i + high) / 2;
      (first_block[middle] <= static_cast<int>(blockIdx.x) ? i : high) = middle;
    }
    const int64_t begin = (blockIdx.x - first_block[i]) * chunk_elements, end = begin + chunk_elements;
    return {items[i], begin, end < items[i].count ? end : items[i].count};
  }
};

inline int64_t chunks_of(int64_t count) {
  return ceil_div(count, chunk_elements);
}

// body(list, blocks of the list, blocks before it) for every launch; item_of(x) makes the Item of a tensor x.
template <class X, class ItemOf, class Body>
void for_each_list(std::span<const X> all, const ItemOf& item_of, const Body& body) {
  using Item = decltype(item_of(all[0]));
  int64_t before = 0;
  for (size_t first = 0; first < all.size();) {
    TensorList<Item> list;
    int64_t blocks = 0;
    for (; first < all.size() && list.size < TensorList<Item>::most; ++first) {
      const Item item = item_of(all[first]);
      list.items[list.size] = item;
      list.first_block[list.size++] = static_cast<int>(blocks);
      blocks += chunks_of(item.count);
    }
    body(list, blocks, before);
    before += blocks;
  }
}

}  // namespace fathom::cuda
