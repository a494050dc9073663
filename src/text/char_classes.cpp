#include "text/char_classes.h"

#include <charconv>
#include <map>

namespace fathom {
namespace {

constexpr uint32_t code_points = 0x110000;

bool is_surrogate(uint32_t c) {
  return c >= 0xd800 && c < 0xe000;
}

const std::string& every_character() {
  static const std::string text = [] {
    std::string out;
    for (uint32_t c = 0; c < code_points; ++c)
      if (!is_surrogate(c)) append_utf8(out, c);
    return out;
  }();
  return text;
}

// Takes one character class off the front of a translated pattern.
std::optional<std::string> take_class(std::string_view& pattern) {
  size_t end = std::string_view::npos;
  if (pattern.starts_with("\\p{")) {
    end = pattern.find('}');
  } else if (pattern.starts_with("[")) {
    end = pattern.starts_with("[^") ? 2 : 1;
    while (end < pattern.size() && pattern[end] != ']') {
      if (pattern[end] == '[') return std::nullopt;  // [:name:]
      end += pattern[end] == '\\' ? 2 : 1;
    }
  }
  if (end >= pattern.size()) return std::nullopt;
  std::string taken(pattern.substr(0, end + 1));
  pattern.remove_prefix(end + 1);
  return taken;
}

// "" is 1, "+" is any number (0), "{1,n}" is n.
std::optional<size_t> take_count(std::string_view quantifier) {
  if (quantifier.empty()) return 1;
  if (quantifier == "+") return 0;
  if (!quantifier.starts_with("{1,") || !quantifier.ends_with("}")) return std::nullopt;
  const std::string_view digits = quantifier.substr(3, quantifier.size() - 4);
  size_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && count > 0 && count <= 0xffff ? std::optional(count) : std::nullopt;
}

}  // namespace

CharClasses::CharClasses(std::span<const std::string> classes, const std::string& name) {
  std::vector<uint16_t> bits(code_points);
  const std::string& text = every_character();
  RegexScratch scratch;
  for (size_t i = 0; i < classes.size(); ++i) {
    const Regex run("(?:" + classes[i] + ")+", name);
    size_t at = 0;
    while (const auto match = run.find(text, at, scratch)) {
      at = match->end;
      for (size_t p = match->begin; p < at;) {
        const CodePoint c = decode_valid_utf8(text.data() + p);
        bits[c.value] |= static_cast<uint16_t>(1u << i);
        p += static_cast<size_t>(c.length);
      }
    }
  }
  std::map<std::vector<uint16_t>, uint16_t> known;
  for (size_t block = 0; block < block_of_.size(); ++block) {
    std::vector<uint16_t> content(bits.begin() + static_cast<long>(block << 8),
                                  bits.begin() + static_cast<long>((block + 1) << 8));
    const auto [it, fresh] = known.try_emplace(std::move(content), static_cast<uint16_t>(known.size()));
    if (fresh) blocks_.insert(blocks_.end(), it->first.begin(), it->first.end());
    block_of_[block] = it->second;
  }
}

const std::string& ClassPattern::space_class() {
  static const std::string space = translate_regex("\\s");
  return space;
}

std::optional<ClassPattern> ClassPattern::recognise(std::string_view rest) {
  ClassPattern pattern;
  std::optional<std::string> first = take_class(rest);
  if (!first) return std::nullopt;
  if (*first == space_class() && rest == "+$") {
    pattern.trailing_space = true;
    return pattern;
  }
  if (*first == space_class() && rest.starts_with("?")) {
    pattern.leading_space = true;
    rest.remove_prefix(1);
    first = take_class(rest);
    if (!first) return std::nullopt;
  }
  const std::optional<size_t> count = take_count(rest);
  if (!count) return std::nullopt;
  pattern.max_count = *count;
  pattern.member_class = *first;
  return pattern;
}

std::optional<RegexMatch> ClassPattern::find(std::string_view text, size_t start, const CharClasses& classes,
                                             Seen& seen) const {
  return trailing_space ? find_trailing_space(text, start, classes) : find_run(text, start, classes, seen);
}

std::optional<RegexMatch> ClassPattern::find_run(std::string_view text, size_t start,
                                                 const CharClasses& classes, Seen& seen) const {
  const char *begin = text.data() + start, *const end = text.data() + text.size();
  const uint16_t wanted = static_cast<uint16_t>(member_bit | (leading_space ? space_bit : 0));
  while (begin < end) {
    const CharClasses::Character first = classes.at(begin);
    const char* p = begin + first.length;
    if ((first.bits & wanted) == 0) {
      begin = p;
      continue;
    }
    // A white-space character takes the place of SPACE? if the class can follow; else it must be in the
    // class.
    const bool as_space =
        leading_space && (first.bits & space_bit) && p < end && (classes.at(p).bits & member_bit);
    if (!as_space && !(first.bits & member_bit)) {
      begin = p;
      continue;
    }
    seen = {first.bits, 0};
    for (size_t count = as_space ? 0 : 1; p < end && count != max_count - (max_count == 0); ++count) {
      const CharClasses::Character next = classes.at(p);
      if ((next.bits & member_bit) == 0) break;
      seen.others |= next.bits;
      p += next.length;
    }
    return RegexMatch{static_cast<size_t>(begin - text.data()), static_cast<size_t>(p - text.data())};
  }
  return std::nullopt;
}

// $ is the end of the text or the place before a newline, so a run of white space counts up to its end if the
// text ends there, else up to its last newline.
std::optional<RegexMatch> ClassPattern::find_trailing_space(std::string_view text, size_t start,
                                                            const CharClasses& classes) const {
  const char *p = text.data() + start, *const end = text.data() + text.size();
  while (p < end) {
    const CharClasses::Character first = classes.at(p);
    if ((first.bits & space_bit) == 0) {
      p += first.length;
      continue;
    }
    const char *begin = p, *last_newline = nullptr;
    for (p += first.length; p < end;) {
      const CharClasses::Character next = classes.at(p);
      if ((next.bits & space_bit) == 0) break;
      if (*p == '\n') last_newline = p;
      p += next.length;
    }
    const char* stop = p == end ? end : last_newline;
    if (stop)
      return RegexMatch{static_cast<size_t>(begin - text.data()), static_cast<size_t>(stop - text.data())};
  }
  return std::nullopt;
}

}  // namespace fathom
