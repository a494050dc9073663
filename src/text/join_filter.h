// Text in scripts without spaces comes in long pieces that seldom repeat, but most of its neighbouring
// characters stand in no token together. Where no merge rule can join what lies on both sides of a place, no
// merge ever crosses it: the piece may be cut there, and the parts, which do repeat, give the same ids.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe.h"

namespace fathom {

class JoinFilter {
 public:
  JoinFilter() = default;  // cuts nowhere
  // pieces[id]: the bytes of a token. Cuts nowhere if ids and bytes do not fit together.
  JoinFilter(const std::array<int32_t, 256>& byte_ids, std::span<const MergeRule> rules,
             std::span<const std::string> pieces);

  // Bytes of `piece`, valid UTF-8, up to the first place to cut: between two characters of three bytes or
  // more, the first of exactly three. All of them if there is none.
  size_t first_part(std::string_view piece) const {
    if (kinds_.empty() || piece.size() < 6) return piece.size();
    const auto* text = reinterpret_cast<const unsigned char*>(piece.data());
    if (text[piece.size() - 1] < 0x80) return piece.size();  // most words of other scripts
    for (size_t at = 3; at + 3 <= piece.size(); ++at)
      if (text[at] >= long_lead && text[at - 3] >= long_lead &&
          !may_join(three(text + at - 3), three(text + at)))
        return at;
    return piece.size();
  }

 private:
  static constexpr unsigned char long_lead = 0xe0;  // first byte of a character of three bytes or more
  static constexpr int table_bits = 20;

  // Of a rule that joins `left` and `right` it matters how the former ends and how the latter begins: the
  // last and the first three bytes, or fewer where a token has fewer.
  struct Kind {
    uint32_t left_mask, right_mask;
    bool operator==(const Kind&) const = default;
  };

  static uint32_t three(const unsigned char* p) {
    return static_cast<uint32_t>(p[0]) << 16 | static_cast<uint32_t>(p[1]) << 8 | p[2];
  }
  static size_t slot(uint32_t left, uint32_t right) {
    return ((uint64_t{left} << 24 | right) * 0x9e3779b97f4a7c15ull) >> (64 - table_bits);
  }
  // True for what a rule joins, and for a few other pairs that share a slot with one: those are not cut.
  bool may_join(uint32_t left, uint32_t right) const {
    for (const Kind& kind : kinds_) {
      const size_t at = slot(left & kind.left_mask, right & kind.right_mask);
      if (joined_[at / 64] >> at % 64 & 1) return true;
    }
    return false;
  }
  void add(std::string_view left, std::string_view right);

  std::vector<Kind> kinds_;  // that occur
  std::vector<uint64_t> joined_;
};

}  // namespace fathom
