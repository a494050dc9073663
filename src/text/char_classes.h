// Character classes as one table from code point to bits, and the simple patterns that need nothing else:
// runs of one class, perhaps after one white-space character. Nearly all of DeepSeek's pre-tokenizer is of
// this kind; a table scan is several times as fast as a regex engine and never backtracks.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex.h"
#include "text/utf8.h"

namespace fathom {

class CharClasses {
 public:
  static constexpr size_t max_classes = 16;

  // classes[i], a translated regex that matches single characters, sets bit i. PCRE2 fills the table, so it
  // agrees with the regexes by construction.
  CharClasses(std::span<const std::string> classes, const std::string& name);

  struct Character {
    uint16_t bits;
    int length;
  };
  // The character at p, in valid UTF-8.
  Character at(const char* p) const {
    const auto byte = static_cast<unsigned char>(*p);
    if (byte < 0x80) return {blocks_[byte], 1};  // block 0 comes first
    const CodePoint c = decode_valid_utf8(p);
    return {blocks_[static_cast<size_t>(block_of_[c.value >> 8]) << 8 | (c.value & 0xff)], c.length};
  }

 private:
  std::array<uint16_t, 0x1100> block_of_{};
  std::vector<uint16_t> blocks_;  // 256 entries each; equal blocks are kept once
};

// `SPACE? CLASS`, `SPACE? CLASS+`, `SPACE? CLASS{1,n}` or `SPACE+$`.
struct ClassPattern {
  bool trailing_space = false;  // SPACE+$; the fields below count for the other forms
  bool leading_space = false;
  size_t max_count = 0;      // characters of the class in one match; 0: any number
  std::string member_class;  // its regex
  uint16_t member_bit = 0, space_bit = 0;

  // Recognises a translated pattern; the bits are left for the owner of the CharClasses to fill in.
  static std::optional<ClassPattern> recognise(std::string_view translated);
  // The regex of the white-space class, as translate_regex writes \s.
  static const std::string& space_class();

  // Of a match, the classes of its first character and of those behind it; all of them where nothing is
  // known.
  struct Seen {
    uint16_t first = 0xffff, others = 0xffff;
  };
  // As Regex::find.
  std::optional<RegexMatch> find(std::string_view text, size_t start, const CharClasses& classes,
                                 Seen& seen) const;
  // False when there is no match within a match of another pattern.
  bool may_match(const Seen& seen) const {
    // White space before something else is not trailing.
    if (trailing_space) return ((seen.others == 0 ? seen.first : seen.others) & space_bit) != 0;
    return ((seen.first | seen.others) & member_bit) != 0;
  }

 private:
  std::optional<RegexMatch> find_run(std::string_view text, size_t start, const CharClasses& classes,
                                     Seen& seen) const;
  std::optional<RegexMatch> find_trailing_space(std::string_view text, size_t start,
                                                const CharClasses& classes) const;
};

}  // namespace fathom
