#include "answers/language.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "answers/language_words.h"
#include "answers/response_text.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using View = std::string_view;

struct Range {
  uint32_t first, last;
  Script script;
};
// Letters and the marks on them.
constexpr auto ranges = std::to_array<Range>(
    {{'A', 'Z', Script::latin},          {'a', 'z', Script::latin},        {0xc0, 0xd6, Script::latin},
     {0xd8, 0xf6, Script::latin},        {0xf8, 0x24f, Script::latin},     {0x300, 0x36f, Script::latin},
     {0x370, 0x3ff, Script::greek},      {0x400, 0x52f, Script::cyrillic}, {0x591, 0x5f4, Script::hebrew},
     {0x610, 0x61a, Script::arabic},     {0x620, 0x65f, Script::arabic},   {0x66e, 0x6d3, Script::arabic},
     {0x6d5, 0x6ef, Script::arabic},     {0x6fa, 0x77f, Script::arabic},   {0x900, 0x963, Script::devanagari},
     {0x970, 0x97f, Script::devanagari}, {0x980, 0x9e3, Script::bengali},  {0xa01, 0xa65, Script::gurmukhi},
     {0xa70, 0xa7f, Script::gurmukhi},   {0xa81, 0xae3, Script::gujarati}, {0xb82, 0xbe3, Script::tamil},
     {0xc00, 0xc63, Script::telugu},     {0xc80, 0xce3, Script::kannada},  {0xd00, 0xd63, Script::malayalam},
     {0xe01, 0xe4e, Script::thai},       {0x1100, 0x11ff, Script::hangul}, {0x1e00, 0x1eff, Script::latin},
     {0x1f00, 0x1fff, Script::greek},    {0x3041, 0x30ff, Script::kana},   {0x3400, 0x4dbf, Script::han},
     {0x4e00, 0x9fff, Script::han},      {0xac00, 0xd7a3, Script::hangul}, {0xfb50, 0xfefc, Script::arabic},
     {0x20000, 0x3134f, Script::han}});

Script script_of(uint32_t c) {
  const auto* at = std::lower_bound(ranges.data(), ranges.data() + ranges.size(), c,
                                    [](const Range& range, uint32_t value) { return range.last < value; });
  return at != ranges.data() + ranges.size() && c >= at->first ? at->script : Script::none;
}

// Of the capitals of Latin, Greek and Cyrillic.
uint32_t lower(uint32_t c) {
  const auto among = [c](uint32_t first, uint32_t last) { return c >= first && c <= last; };
  if (among('A', 'Z') || (among(0xc0, 0xde) && c != 0xd7) || among(0x391, 0x3a9) || among(0x410, 0x42f))
    return c + 32;
  if (among(0x400, 0x40f)) return c + 80;
  if (c == 0x130) return 'i';
  if (c == 0x178) return 0xff;
  // Pairs, the capital first: at even places, or at odd ones.
  if (among(0x100, 0x137) || among(0x14a, 0x177) || among(0x1a0, 0x1a5) || among(0x1e00, 0x1eff) ||
      among(0x218, 0x21b))
    return c | 1;
  if (among(0x139, 0x148) || among(0x179, 0x17e) || among(0x1af, 0x1b0)) return c + (c & 1);
  return c;
}

struct Words {
  std::array<int64_t, static_cast<size_t>(Script::count)> letters{};
  std::map<std::string, int64_t> number;
  int64_t all = 0;
};

// Words of letters of any script; whatever stands between them.
Words words_of(View text) {
  Words words;
  std::string word;
  const auto finish = [&] {
    if (word.empty()) return;
    ++words.number[word], ++words.all;
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_valid_utf8(text.data() + at);
    at += static_cast<size_t>(c.length);
    const bool joins = c.value == 0x200c || c.value == 0x200d;  // inside words of Arabic and Indic scripts
    const Script script = script_of(c.value);
    if (script == Script::none && !joins) {
      finish();
      continue;
    }
    ++words.letters[static_cast<size_t>(script)];
    if (!joins) append_utf8(word, lower(c.value));
  }
  finish();
  words.letters[static_cast<size_t>(Script::none)] = 0;
  return words;
}

Script main_script(const Words& words) {
  const auto& letters = words.letters;
  const auto of = [&](Script script) { return letters[static_cast<size_t>(script)]; };
  // Japanese is written with both; Chinese has no kana.
  if (20 * of(Script::kana) >= of(Script::han) && of(Script::kana) > 0 &&
      of(Script::kana) + of(Script::han) >= *std::max_element(letters.begin(), letters.end()))
    return Script::kana;
  const auto* most = std::max_element(letters.begin(), letters.end());
  return *most == 0 ? Script::none : static_cast<Script>(most - letters.begin());
}

int64_t hits(const LanguageWords& language, const Words& words) {
  int64_t n = 0;
  for (const View word : parts_between(language.words, " "))
    if (const auto found = words.number.find(std::string(word)); found != words.number.end())
      n += found->second;
  return n;
}

}  // namespace

std::optional<std::string> language_of(View text) {
  const Words words = words_of(text);
  const Script script = main_script(words);
  std::optional<std::string> best;
  int64_t most = -1, second = -1;
  for (const LanguageWords& language : language_words()) {
    if (language.script != script) continue;
    if (language.words.empty()) return std::string(language.code);
    const int64_t n = hits(language, words);
    second = std::max(second, std::min(n, most));
    if (n > most) most = n, best = std::string(language.code);
  }
  // One word in twenty at least: a quarter to a half of running text are common words.
  return most > second && most > 0 && 20 * most >= words.all ? best : std::nullopt;
}

bool is_known_language(View code) {
  return std::any_of(language_words().begin(), language_words().end(),
                     [&](const LanguageWords& language) { return language.code == code; });
}

}  // namespace fathom
