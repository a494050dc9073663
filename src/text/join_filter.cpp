#include "text/join_filter.h"

#include <algorithm>

namespace fathom {
namespace {

bool continues(unsigned char byte) {
  return byte >= 0x80 && byte < 0xc0;
}

// Without one of its own a byte vanishes, or stands for another token: then neighbours in the text and in
// the ids differ.
bool long_characters_have_tokens(const std::array<int32_t, 256>& byte_ids,
                                 std::span<const std::string> pieces) {
  for (int b = 0x80; b <= 0xf4; ++b) {
    if (b >= 0xc0 && b < 0xe0) continue;
    const auto id = static_cast<size_t>(byte_ids[static_cast<size_t>(b)]);
    if (id >= pieces.size() || pieces[id] != std::string(1, static_cast<char>(b))) return false;
  }
  return true;
}

}  // namespace

JoinFilter::JoinFilter(const std::array<int32_t, 256>& byte_ids, std::span<const MergeRule> rules,
                       std::span<const std::string> pieces) {
  if (!long_characters_have_tokens(byte_ids, pieces)) return;
  for (const auto& [left, right, result] : rules)
    if (pieces[result] != pieces[left] + pieces[right]) return;
  joined_.resize((size_t{1} << table_bits) / 64);
  kinds_.push_back({0xffffff, 0xffffff});
  for (const auto& [left, right, result] : rules) add(pieces[left], pieces[right]);
}

void JoinFilter::add(std::string_view left, std::string_view right) {
  // Others never meet between two characters.
  if (!continues(static_cast<unsigned char>(left.back())) ||
      static_cast<unsigned char>(right.front()) < long_lead)
    return;
  left = left.substr(left.size() - std::min<size_t>(3, left.size()));
  right = right.substr(0, 3);
  std::array<unsigned char, 3> last{}, first{};
  std::copy_backward(left.begin(), left.end(), last.end());
  std::copy(right.begin(), right.end(), first.begin());
  const Kind kind = {0xffffffu >> 8 * (3 - left.size()), 0xffffffu << 8 * (3 - right.size()) & 0xffffffu};
  if (std::find(kinds_.begin(), kinds_.end(), kind) == kinds_.end()) kinds_.push_back(kind);
  const size_t at = slot(three(last.data()), three(first.data()));
  joined_[at / 64] |= uint64_t{1} << at % 64;
}

}  // namespace fathom
