// Byte-pair merging of one piece of text: join the neighbouring pair with the lowest rank, the leftmost of
// equals, until no rule applies.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace fathom {

struct MergeRule {
  int32_t left, right, result;
};

// (left, right) -> rank and result, by open addressing.
class MergeTable {
 public:
  struct Entry {
    uint64_t pair = no_pair;
    uint32_t rank = no_rank;
    int32_t result = -1;
  };
  static constexpr uint32_t no_rank = std::numeric_limits<uint32_t>::max();

  // Rules in rank order; of two for the same pair the later counts.
  explicit MergeTable(std::span<const MergeRule> rules);

  // rank is no_rank if there is no rule.
  const Entry& find(int32_t left, int32_t right) const {
    const uint64_t pair = pack(left, right);
    for (size_t at = slot(pair);; at = (at + 1) & mask_)
      if (entries_[at].pair == pair || entries_[at].pair == no_pair) return entries_[at];
  }

 private:
  static constexpr uint64_t no_pair = ~uint64_t{0};
  static uint64_t pack(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t slot(uint64_t pair) const { return (pair * 0x9e3779b97f4a7c15ull) >> shift_; }

  std::vector<Entry> entries_;
  size_t mask_ = 0;
  int shift_ = 0;
};

// Working memory of one thread.
struct BpeScratch {
  struct Symbol {
    int32_t id, previous, next;  // neighbours by index, -1 at the ends; id -1 once merged away
  };
  std::vector<Symbol> symbols;
  std::vector<uint64_t> heap;  // rank << 32 | index of the left symbol
};

class Bpe {
 public:
  // byte_ids[b] is the id of byte b, -1 if the vocabulary has none: such bytes vanish.
  Bpe(const std::array<int32_t, 256>& byte_ids, std::span<const MergeRule> rules);

  // Appends the ids of `piece` to `out`. O(n log n).
  void merge(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const;

  int32_t byte_id(unsigned char byte) const { return byte_ids_[byte]; }

 private:
  static constexpr size_t short_piece = 32;
  void merge_short(std::string_view piece, std::vector<int32_t>& out) const;
  void merge_long(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const;
  void join(uint64_t top, BpeScratch& scratch) const;
  void offer(int32_t left, BpeScratch& scratch) const;

  std::array<int32_t, 256> byte_ids_;
  MergeTable table_;
  std::vector<uint32_t> byte_ranks_;  // [256 * 256] of pairs of bytes, which every merge begins with
};

}  // namespace fathom
