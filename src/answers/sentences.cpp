// A sentence can end at the last . ? or ! of a run without blanks, where a blank or punctuation follows. It
// does, unless the period belongs to an abbreviation, dots or a number and what follows does not begin one.
#include "answers/sentences.h"

#include <algorithm>
#include <array>
#include <string>

#include "answers/response_text.h"

namespace fathom {
namespace {

using View = std::string_view;

constexpr auto abbreviations = std::to_array<View>(
    {"mr",   "mrs",  "ms",    "dr",    "prof",   "st",   "jr",  "sr",  "gen",  "sen",   "rep",     "reps",
     "lt",   "maj",  "col",   "adm",   "messrs", "inc",  "co",  "cos", "corp", "ltd",   "bros",    "cie",
     "vs",   "v",    "ave",   "ft",    "yr",     "mg",   "ct",  "jan", "feb",  "aug",   "sep",     "sept",
     "oct",  "nov",  "dec",   "tues",  "wed",    "fri",  "u.s", "u.k", "u.n",  "u.s.a", "u.s.s.r", "a.m",
     "p.m",  "ph.d", "m.b.a", "d.c",   "n.y",    "n.j",  "n.c", "n.d", "n.h",  "n.m",   "s.c",     "l.a",
     "c.v",  "ala",  "ariz",  "calif", "colo",   "conn", "fla", "ga",  "ill",  "kan",   "ky",      "mich",
     "minn", "nev",  "okla",  "ore",   "pa",     "tenn", "va",  "vt",  "wash", "wis",   "ok"});

// That begin sentences, and are seldom capitals elsewhere.
constexpr auto starters = std::to_array<View>(
    {"the",   "this",  "these",   "that",  "there",    "it",     "he",       "she",  "they",
     "we",    "you",   "but",     "and",   "so",       "if",     "in",       "on",   "at",
     "as",    "for",   "when",    "while", "although", "though", "since",    "some", "many",
     "most",  "both",  "however", "thus",  "yet",      "then",   "instead",  "what", "how",
     "why",   "my",    "your",    "our",   "their",    "his",    "her",      "its",  "even",
     "under", "among", "despite", "after", "before",   "not",    "no",       "by",   "with",
     "to",    "from",  "all",     "also",  "here",     "one",    "moreover", "nor"});

template <class List, class Element>
bool has(const List& list, const Element& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

constexpr View blanks = " \t\r\n\f\v";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_end(char c) {
  return c == '.' || c == '?' || c == '!';
}
// Punctuation that is a word of its own.
bool stands_alone(char c) {
  return has(View(")\";}]*:@'({[!?"), c);
}

std::string lower(View text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return out;
}

bool is_number(View word) {
  return std::any_of(word.begin(), word.end(), is_digit) && std::all_of(word.begin(), word.end(), [](char c) {
           return is_digit(c) || c == '.' || c == ',' || c == '-';
         });
}

enum class Start { yes, no, unknown };

// Whether the text begins a sentence, by its first word.
Start start_of(View next) {
  const auto end = std::find_if_not(next.begin(), next.end(), is_letter);
  const View word(next.data(), static_cast<size_t>(end - next.begin()));
  if (word.empty()) return has(View(",;:.!?"), next[0]) ? Start::no : Start::unknown;
  if (word[0] >= 'a') return Start::no;
  return has(starters, lower(word)) ? Start::yes : Start::unknown;
}

// The last place of a run of characters without blanks where a sentence can end; npos where there is none.
size_t possible_end(View text, size_t run, size_t end) {
  for (size_t at = end; at-- > run;)
    if (is_end(text[at]) && at + 1 < text.size() && (at + 1 == end || stands_alone(text[at + 1]))) return at;
  return View::npos;
}

// Whether a sentence ends at text[at], a period, a question mark or an exclamation mark. `run`: where the run
// of characters without blanks begins.
bool ends_sentence(View text, size_t run, size_t at) {
  if (text[at] != '.') return true;
  const size_t behind = text.find_first_not_of(blanks, at + 1);
  const Start next = start_of(text.substr(behind));
  if (at > run && text[at - 1] == '.') return next == Start::yes;  // dots
  size_t first = at;
  while (first > run && !stands_alone(text[first - 1])) --first;
  const View word = text.substr(first, at - first);
  if (is_number(word)) return next != Start::no;
  if (word.size() == 1 && is_letter(word[0])) return next == Start::yes;  // an initial
  const std::string name = lower(word);
  const View tail = View(name).substr(name.rfind('-') + 1);
  if (has(abbreviations, name) || has(abbreviations, tail)) return next == Start::yes;
  return true;
}

// Brackets and quotes behind the end belong to the sentence before: those at the start of `rest`, with
// blanks.
size_t closing(View rest) {
  size_t n = 0;
  while (n < rest.size() && has(View("\"')]}"), rest[n])) ++n;
  if (n == 0 || (n < rest.size() && !has(blanks, rest[n]) && !rest.substr(n).starts_with("--"))) return 0;
  while (n < rest.size() && has(blanks, rest[n])) ++n;
  return n;
}

}  // namespace

int64_t count_sentences(View text) {
  text = stripped(text);
  int64_t count = !text.empty();
  for (size_t run = 0; run < text.size();) {
    const size_t end = std::min(text.find_first_of(blanks, run), text.size());
    const size_t at = possible_end(text, run, end);
    if (at != View::npos && ends_sentence(text, run, at)) {
      const size_t next = std::min(text.find_first_not_of(blanks, at + 1), text.size());
      count += next + closing(text.substr(next)) < text.size();
    }
    run = std::min(text.find_first_not_of(blanks, end), text.size());
  }
  return count;
}

int64_t count_words(View text) {
  return std::ssize(Pattern(R"([\p{L}\p{N}_]+)").matches(text));
}

int64_t count_capital_words(View text) {
  Pattern words(R"((?:(?!--|\.\.|[:,](?!\d))[^\s?!;@#$%&*()\[\]{}<>"`\x{ab}\x{bb}\x{2012}-\x{2015})"
                R"(\x{2018}\x{2019}\x{201c}-\x{201e}])++)");
  Pattern ending(R"((?<=[^'])(?:'(?:[sSmMdD]|ll|LL|re|RE|ve|VE)|n't|N'T)\z)");
  LetterCase letters;
  int64_t count = 0;
  for (View word : words.matches(text)) {
    if (const std::vector<View> found = ending.matches(word); !found.empty()) {
      word.remove_suffix(found[0].size());
      count += letters.upper(found[0]);
    }
    if (!letters.upper(word)) continue;
    // The Treebank parts some words in two.
    constexpr auto parted = std::to_array<View>({"CANNOT", "GIMME", "GONNA", "GOTTA", "LEMME", "WANNA"});
    count += has(parted, word) ? 2 : 1;
  }
  return count;
}

}  // namespace fathom
