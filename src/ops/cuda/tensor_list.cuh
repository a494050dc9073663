// One launch over many tensors of any sizes: each is cut into pieces of the same number of elements, a block
// a piece. As many tensors go into a launch as fit its arguments.
#pragma once
#include <algorithm>
#include <span>

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

constexpr int64_t piece_elements = 1 << 16;

// Item: what a kernel needs to know of a tensor, with its `count` of elements.
template <class Item>
struct TensorList {
  static constexpr int most = 3072 / (sizeof(Item) + sizeof(int));
  Item items[most];
  int first_block[most];
  int size = 0;

  struct Piece {
    Item item;
    int64_t begin, end;
  };
  __device__ Piece piece() const {
    int i = 0;
    for (int high = size; high - i > 1;) {
      const int middle = (i + high) / 2;
      (first_block[middle] <= static_cast<int>(blockIdx.x) ? i : high) = middle;
    }
    const int64_t begin = (blockIdx.x - first_block[i]) * piece_elements, end = begin + piece_elements;
    return {items[i], begin, end < items[i].count ? end : items[i].count};
  }
};

inline int64_t pieces_of(int64_t count) {
  return blocks_for(count, piece_elements);
}

// body(list, its blocks, the blocks before it) for every list that is to be launched; item_of(x) makes an
// Item of an x.
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
      blocks += pieces_of(item.count);
    }
    body(list, blocks, before);
    before += blocks;
  }
}

}  // namespace fathom::cuda
