#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/error.h"

namespace fathom {

MergeTable::MergeTable(std::span<const MergeRule> rules) {
  const size_t size = std::bit_ceil(std::max<size_t>(16, rules.size() * 2));
  entries_.resize(size);
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
  for (size_t i = 0; i < rules.size(); ++i) {
    const uint64_t pair = pack(rules[i].left, rules[i].right);
    size_t at = slot(pair);
    while (entries_[at].pair != no_pair && entries_[at].pair != pair) at = (at + 1) & mask_;
    entries_[at] = {pair, static_cast<uint32_t>(i), rules[i].result};
  }
}

Bpe::Bpe(const std::array<int32_t, 256>& byte_ids, std::span<const MergeRule> rules)
    : byte_ids_(byte_ids), table_(rules), byte_ranks_(256 * 256) {
  for (size_t pair = 0; pair < byte_ranks_.size(); ++pair)
    byte_ranks_[pair] = table_.find(byte_ids[pair >> 8], byte_ids[pair & 0xff]).rank;
}

void Bpe::merge(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const {
  if (piece.size() <= short_piece)
    merge_short(piece, out);
  else
    merge_long(piece, scratch, out);
}

// Quadratic, but for a few symbols a scan beats every structure.
void Bpe::merge_short(std::string_view piece, std::vector<int32_t>& out) const {
  std::array<int32_t, short_piece> ids;
  std::array<uint32_t, short_piece> ranks;  // ranks[i]: of the pair (i, i + 1)
  size_t n = 0, pair = 0;
  for (const char c : piece) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte_ids_[byte] < 0) continue;
    pair = (pair << 8 | byte) & 0xffff;
    if (n > 0) ranks[n - 1] = byte_ranks_[pair];
    ids[n++] = byte_ids_[byte];
  }
  while (n > 1) {
    const size_t best =
        static_cast<size_t>(std::min_element(ranks.begin(), ranks.begin() + (n - 1)) - ranks.begin());
    if (ranks[best] == MergeTable::no_rank) break;
    ids[best] = table_.find(ids[best], ids[best + 1]).result;
    std::copy(ids.begin() + best + 2, ids.begin() + n, ids.begin() + best + 1);
    if (best + 2 < n) std::copy(ranks.begin() + best + 1, ranks.begin() + (n - 1), ranks.begin() + best);
    --n;
    if (best > 0) ranks[best - 1] = table_.find(ids[best - 1], ids[best]).rank;
    if (best + 1 < n) ranks[best] = table_.find(ids[best], ids[best + 1]).rank;
  }
  out.insert(out.end(), ids.begin(), ids.begin() + n);
}

// A linked list of symbols and a heap of candidate pairs. Entries of the heap go stale when a neighbour
// merges; they are recognised when popped, because the pair's rank no longer agrees.
void Bpe::merge_long(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const {
  check(piece.size() < (size_t{1} << 31), "a piece of text of {} bytes is too long to tokenize",
        piece.size());
  auto& [symbols, heap] = scratch;
  symbols.clear();
  heap.clear();
  for (const char c : piece) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(c)], n = static_cast<int32_t>(symbols.size());
    if (id >= 0) symbols.push_back({id, n - 1, n + 1});
  }
  if (symbols.empty()) return;
  symbols.back().next = -1;
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    const uint32_t rank = table_.find(symbols[i].id, symbols[i + 1].id).rank;
    if (rank != MergeTable::no_rank) heap.push_back(uint64_t{rank} << 32 | i);
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const uint64_t top = heap.back();
    heap.pop_back();
    join(top, scratch);
  }
  for (int32_t at = 0; at >= 0; at = symbols[at].next) out.push_back(symbols[at].id);
}

void Bpe::join(uint64_t top, BpeScratch& scratch) const {
  auto& symbols = scratch.symbols;
  const auto at = static_cast<int32_t>(top & 0xffffffffu);
  const int32_t next = symbols[at].next;
  if (symbols[at].id < 0 || next < 0) return;
  const MergeTable::Entry& rule = table_.find(symbols[at].id, symbols[next].id);
  if (rule.rank != top >> 32) return;
  symbols[at].id = rule.result;
  symbols[at].next = symbols[next].next;
  symbols[next].id = -1;
  if (symbols[at].next >= 0) symbols[symbols[at].next].previous = at;
  if (symbols[at].previous >= 0) offer(symbols[at].previous, scratch);
  offer(at, scratch);
}

void Bpe::offer(int32_t left, BpeScratch& scratch) const {
  const auto& symbol = scratch.symbols[left];
  if (symbol.next < 0) return;
  const uint32_t rank = table_.find(symbol.id, scratch.symbols[symbol.next].id).rank;
  if (rank == MergeTable::no_rank) return;
  scratch.heap.push_back(uint64_t{rank} << 32 | static_cast<uint32_t>(left));
  std::push_heap(scratch.heap.begin(), scratch.heap.end(), std::greater<>());
}

}  // namespace fathom
