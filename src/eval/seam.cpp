#include "eval/seam.h"

#include <algorithm>

#include "base/error.h"
#include "text/chat_template.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// As Python's str.isspace().
bool is_blank(uint32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

// The length of the character before the end, if that is a blank.
size_t last_blank(std::string_view text) {
  for (size_t n = 1; n <= std::min<size_t>(3, text.size()); ++n) {
    const char* p = text.data() + text.size() - n;
    const CodePoint c = decode_utf8(p, text.data() + text.size());
    if (static_cast<size_t>(c.length) == n) return is_blank(c.value) ? n : 0;
  }
  return 0;
}

int64_t common(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

}  // namespace

size_t trailing_blanks(std::string_view text) {
  size_t n = 0;
  while (const size_t more = last_blank(text.substr(0, text.size() - n))) n += more;
  return n;
}

std::vector<int32_t> beginning_of(const Tokenizer& tokenizer) {
  // Files may ask for tokens behind the text too.
  const std::vector<int32_t> nothing = tokenizer.encode(""), something = tokenizer.encode("x");
  return {nothing.begin(), nothing.begin() + common(nothing, something)};
}

SeamEncoder::SeamEncoder(const Tokenizer& tokenizer, bool add_bos)
    : tokenizer_(tokenizer), beginning_(add_bos ? beginning_of(tokenizer) : std::vector<int32_t>()) {}

std::vector<int32_t> SeamEncoder::encode(const jinja::Text& text) const {
  std::vector<int32_t> ids = beginning_;
  const std::vector<int32_t> own = encode_marked(tokenizer_, text);
  ids.insert(ids.end(), own.begin(), own.end());
  return ids;
}

std::vector<int32_t> SeamEncoder::prompt(const jinja::Text& text) const {
  std::vector<int32_t> ids = encode(text);
  if (!ids.empty()) return ids;
  const std::optional<int32_t> first = tokenizer_.bos_id() ? tokenizer_.bos_id() : tokenizer_.eos_id();
  check(first.has_value(), "the prompt is empty, and the tokenizer has no token to begin with");
  return {*first};
}

std::vector<Seam> SeamEncoder::answers(const jinja::Text& before,
                                       const std::vector<jinja::Text>& answers) const {
  const std::vector<int32_t> alone = encode(before.sub(0, before.size() - trailing_blanks(before.bytes)));
  std::vector<Seam> seams;
  auto cut = std::ssize(alone);
  for (const jinja::Text& answer : answers) {
    jinja::Text whole = before;
    whole += answer;
    seams.push_back({encode(whole), 0});
    cut = std::min(cut, common(alone, seams.back().ids));
  }
  const std::vector<int32_t> first = cut == 0 ? prompt({}) : std::vector<int32_t>();
  for (Seam& seam : seams) {
    seam.ids.insert(seam.ids.begin(), first.begin(), first.end());
    seam.cut = cut + std::ssize(first);
  }
  return seams;
}

}  // namespace fathom
