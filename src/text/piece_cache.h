// Ids of pieces met before. Natural text repeats its words, so most pieces never reach the merge loop. Each
// piece has two slots; a new one takes the first, the piece there moves to the second.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace fathom {

class PieceCache {
 public:
  PieceCache() : entries_(slots) {}

  static constexpr size_t max_bytes = 23, max_ids = 9;

  // The bytes of a piece, zeros behind them, and its length in the last byte: equal for equal pieces only.
  using Key = std::array<uint64_t, 3>;
  static Key key_of(std::string_view piece) {
    const char* p = piece.data();
    const size_t n = piece.size();
    Key key{};
    if (n < 8) {
      key[0] = load_few(p, n);
    } else {
      key[0] = load<uint64_t>(p);
      key[n / 8] = load_last(p, n);  // over key[1] where n is 8 to 15
      if (n >= 16) key[1] = load<uint64_t>(p + 8);
    }
    key[2] |= uint64_t{n} << 56;
    return key;
  }

  static std::string_view piece_of(const Key& key) {
    return {reinterpret_cast<const char*>(key.data()), key[2] >> 56};
  }

  struct alignas(64) Entry {  // a cache line
    Key key{};
    uint32_t count = 0;
    std::array<int32_t, max_ids> ids;
  };
  // Begins to load what find() will look at.
  void prefetch(const Key& key) const { __builtin_prefetch(&entries_[slot(key)]); }
  // Null if the piece is not there. The empty piece is, without ids.
  const Entry* find(const Key& key) const {
    const size_t at = slot(key);
    if (same(entries_[at].key, key)) return &entries_[at];
    if (same(entries_[at ^ 1].key, key)) return &entries_[at ^ 1];
    return nullptr;
  }
  void store(const Key& key, std::span<const int32_t> ids) {
    if (ids.size() > max_ids) return;
    const size_t at = slot(key);
    entries_[at ^ 1] = entries_[at];
    entries_[at].key = key;
    entries_[at].count = static_cast<uint32_t>(ids.size());
    std::copy(ids.begin(), ids.end(), entries_[at].ids.begin());
  }

 private:
  static constexpr int slot_bits = 17;
  static constexpr size_t slots = size_t{1} << slot_bits;
  static_assert(std::endian::native == std::endian::little);

  // Three instructions; == would call memcmp.
  static bool same(const Key& a, const Key& b) {
    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2])) == 0;
  }
  template <class T>
  static T load(const char* p) {
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }
  // n < 8 bytes, by loads that overlap.
  static uint64_t load_few(const char* p, size_t n) {
    if (n >= 4) return load<uint32_t>(p) | uint64_t{load<uint32_t>(p + n - 4)} << 8 * (n - 4);
    if (n == 0) return 0;
    const auto byte = [p](size_t i) { return uint64_t{static_cast<unsigned char>(p[i])} << 8 * i; };
    return byte(0) | byte(n / 2) | byte(n - 1);
  }
  // The last n % 8 of n >= 8 bytes.
  static uint64_t load_last(const char* p, size_t n) {
    return n % 8 == 0 ? 0 : load<uint64_t>(p + n - 8) >> 8 * (8 - n % 8);
  }
  static size_t slot(const Key& key) {
    uint64_t h = (key[0] ^ key[2]) * 0x9e3779b97f4a7c15ull;
    h = (h ^ h >> 32 ^ key[1]) * 0xbf58476d1ce4e5b9ull;
    return h >> (64 - slot_bits);
  }

  std::vector<Entry> entries_;
};

}  // namespace fathom
