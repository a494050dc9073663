#include "data/quality.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/error.h"
#include "base/nearest.h"

namespace fathom {
namespace {

constexpr double none = -std::numeric_limits<double>::infinity(),
                 any = std::numeric_limits<double>::infinity();

// Gopher's eight words for English, and as common ones of other languages. A text is of the language that it
// has most of.
constexpr size_t words_of_language = 8;
const std::array<std::array<std::string_view, words_of_language>, 7> stop_words = {{
    {"the", "be", "to", "of", "and", "that", "have", "with"},
    {"der", "die", "und", "das", "nicht", "ist", "mit", "ein"},
    {"le", "la", "les", "de", "et", "que", "des", "dans"},
    {"el", "la", "de", "que", "los", "en", "con", "por"},
    {"il", "di", "che", "la", "per", "non", "con", "una"},
    {"o", "de", "que", "do", "da", "em", "para", "com"},
    {"de", "het", "een", "en", "van", "dat", "niet", "met"},
}};

size_t occurrences(std::string_view text, std::string_view piece) {
  size_t n = 0;
  for (size_t at = text.find(piece); at != std::string_view::npos; at = text.find(piece, at + piece.size()))
    ++n;
  return n;
}

double share(size_t part, size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

constexpr std::string_view ellipsis = "\xe2\x80\xa6";

struct Lines {
  size_t all = 0, bullets = 0, ellipses = 0;
};

Lines count_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") + 1 - first);
    ++lines.all;
    for (const std::string_view bullet : {"\xe2\x80\xa2", "- ", "* "})
      lines.bullets += line.starts_with(bullet);
    lines.ellipses += line.ends_with("...") || line.ends_with(ellipsis);
  }
  return lines;
}

// Ends of sentences, of Chinese and Japanese ones too. A run of them ("...", "?!") is one.
size_t count_sentences(std::string_view text) {
  size_t n = 0;
  bool within = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool ascii = c == '.' || c == '!' || c == '?', may_be_wide = c == '\xe3' || c == '\xef';
    const std::string_view three = may_be_wide ? text.substr(i, 3) : std::string_view();
    const bool wide = three == "\xe3\x80\x82" || three == "\xef\xbc\x81" || three == "\xef\xbc\x9f";
    n += (ascii || wide) && !within;
    within = ascii || wide;
    if (wide) i += 2;
  }
  return n;
}

bool has_lorem_ipsum(std::string_view text) {
  constexpr std::string_view phrase = "lorem ipsum";
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  return std::search(text.begin(), text.end(), phrase.begin(), phrase.end(), same) != text.end();
}

Script script_of(std::span<const Word> words) {
  const auto spaceless = std::count_if(words.begin(), words.end(), [](const Word& w) { return w.spaceless; });
  const auto latin = std::count_if(words.begin(), words.end(), [](const Word& w) { return w.latin; });
  const auto n = static_cast<std::ptrdiff_t>(words.size());
  if (5 * spaceless >= n) return Script::any;
  return 2 * latin > n ? Script::latin : Script::spaced;
}

size_t most_stop_words(std::span<const Word> words, const FlatMap<uint64_t>& stop_words) {
  uint64_t found = 0;
  for (const Word& word : words)
    if (const uint64_t* bits = stop_words.find(word.hash)) found |= *bits;
  int most = 0;
  for (; found != 0; found >>= words_of_language)
    most = std::max(most, std::popcount(found & ((1u << words_of_language) - 1)));
  return static_cast<size_t>(most);
}

double count(size_t n) {
  return static_cast<double>(n);
}

}  // namespace

// A text that is judged: what several rules look at is found once.
struct JudgedText {
  std::string_view text;
  std::span<const Word> words;
  const FlatMap<uint64_t>& stop_words;
  RepetitionScratch& scratch;
  Script script;
  Lines lines;
  std::optional<Repeats> line_repeats, paragraph_repeats;  // once a rule has asked
  RepeatedRuns runs;

  // A word of a script without spaces has about two characters, and each of them is a Word.
  size_t words_of(size_t n) const { return script == Script::any ? 2 * n : n; }
};

namespace {

double mean_word_length(JudgedText& t) {
  size_t characters = 0;
  for (const Word& word : t.words) characters += word.characters;
  return share(characters, t.words.size());
}

double symbols(JudgedText& t) {
  return share(occurrences(t.text, "#") + occurrences(t.text, "...") + occurrences(t.text, ellipsis),
               t.words.size());
}

double letters(JudgedText& t) {
  const auto n = std::count_if(t.words.begin(), t.words.end(), [](const Word& w) { return w.has_letter; });
  return share(static_cast<size_t>(n), t.words.size());
}

const Repeats& lines_again(JudgedText& t) {
  if (!t.line_repeats) t.line_repeats = repeated_lines(t.text, t.scratch);
  return *t.line_repeats;
}

const Repeats& paragraphs_again(JudgedText& t) {
  if (!t.paragraph_repeats) t.paragraph_repeats = repeated_paragraphs(t.text, t.scratch);
  return *t.paragraph_repeats;
}

template <size_t n>
double top_gram(JudgedText& t) {
  return t.runs.top_share(t.words_of(n));
}

template <size_t n>
double repeated_gram(JudgedText& t) {
  return t.runs.repeated_share(t.words_of(n));
}

using T = JudgedText&;
const std::array<QualityRule, 23> rules = {{
    {"words", 50, 100'000, Script::any, [](T t) { return count(t.words.size()); }},
    {"mean_word_length", 3, 10, Script::spaced, mean_word_length},
    {"symbols", none, 0.1, Script::any, symbols},  // '#' and ellipses for each word
    {"bullet_lines", none, 0.9, Script::any, [](T t) { return share(t.lines.bullets, t.lines.all); }},
    {"ellipsis_lines", none, 0.3, Script::any, [](T t) { return share(t.lines.ellipses, t.lines.all); }},
    {"letters", 0.8, any, Script::any, letters},  // share of the words that have a letter
    {"stop_words", 2, any, Script::latin, [](T t) { return count(most_stop_words(t.words, t.stop_words)); }},
    {"sentences", 3, any, Script::any, [](T t) { return count(count_sentences(t.text)); }},
    {"lorem_ipsum", none, 0, Script::any, [](T t) { return count(has_lorem_ipsum(t.text)); }},
    {"curly_braces", none, 0, Script::any, [](T t) { return count(occurrences(t.text, "{")); }},
    {"repeated_lines", none, 0.3, Script::any, [](T t) { return lines_again(t).count; }},
    {"repeated_line_bytes", none, 0.2, Script::any, [](T t) { return lines_again(t).bytes; }},
    {"repeated_paragraphs", none, 0.3, Script::any, [](T t) { return paragraphs_again(t).count; }},
    {"repeated_paragraph_bytes", none, 0.2, Script::any, [](T t) { return paragraphs_again(t).bytes; }},
    {"top_2_gram", none, 0.2, Script::any, top_gram<2>},
    {"top_3_gram", none, 0.18, Script::any, top_gram<3>},
    {"top_4_gram", none, 0.16, Script::any, top_gram<4>},
    {"repeated_5_grams", none, 0.15, Script::any, repeated_gram<5>},
    {"repeated_6_grams", none, 0.14, Script::any, repeated_gram<6>},
    {"repeated_7_grams", none, 0.13, Script::any, repeated_gram<7>},
    {"repeated_8_grams", none, 0.12, Script::any, repeated_gram<8>},
    {"repeated_9_grams", none, 0.11, Script::any, repeated_gram<9>},
    {"repeated_10_grams", none, 0.1, Script::any, repeated_gram<10>},
}};

}  // namespace

std::span<const QualityRule> quality_rules() {
  return rules;
}

std::string QualityFailure::text() const {
  const bool low = value < rule->lowest;
  return fmt::format("{} {:.4g} {} {:.4g}", rule->name, value, low ? '<' : '>',
                     low ? rule->lowest : rule->highest);
}

QualityFilter::QualityFilter(const std::vector<std::string>& off) {
  std::vector<std::string> names;
  for (const QualityRule& rule : rules) names.emplace_back(rule.name);
  for (const std::string& name : off)
    check(std::find(names.begin(), names.end(), name) != names.end(), "there is no quality rule '{}'{}", name,
          did_you_mean(name, names));
  for (const QualityRule& rule : rules)
    if (std::find(off.begin(), off.end(), rule.name) == off.end()) rules_.push_back(&rule);
  uint64_t bit = 1;
  for (const auto& language : stop_words)
    for (const std::string_view word : language) {
      *stop_words_.insert(word_hash(word), 0).first |= bit;
      bit <<= 1;
    }
}

std::optional<QualityFailure> QualityFilter::failure(std::string_view text, std::span<const Word> words,
                                                     RepetitionScratch& scratch) const {
  JudgedText judged = {text,         words, stop_words_,     scratch, script_of(words), count_lines(text),
                       std::nullopt, {},    {words, scratch}};
  for (const QualityRule* rule : rules_) {
    if (rule->script == Script::spaced && judged.script == Script::any) continue;
    if (rule->script == Script::latin && judged.script != Script::latin) continue;
    const double value = rule->measure(judged);
    if (value < rule->lowest || value > rule->highest) return QualityFailure{rule, value};
  }
  return std::nullopt;
}

}  // namespace fathom
