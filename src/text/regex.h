// Regular expressions of tokenizer.json files, run by PCRE2 (UTF, Unicode properties, JIT). The files are
// written for Oniguruma in its Ruby dialect, so what the two engines read differently is translated first: \s
// and \w to their Unicode sets, \h to a hex digit, ^ and $ to line ends. What cannot be translated is an
// Error.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace fathom {

// The Oniguruma pattern as PCRE2 reads it.
std::string translate_regex(std::string_view pattern);
// A pattern that matches exactly this text.
std::string escape_regex(std::string_view text);

// The inside of a character class: \w of Rust's regex crate, which Hugging Face uses in a few places.
std::string rust_word_class();

// Working memory for matching; each thread needs its own, any number of regexes may share it.
class RegexScratch {
 public:
  // A match that takes more than `most_steps` of PCRE2's steps is an Error; 0: more than PCRE2's own limit.
  explicit RegexScratch(uint32_t most_steps = 0);
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  pcre2_real_match_data_8* data_;
  pcre2_real_match_context_8* context_;
  pcre2_real_jit_stack_8* stack_;
};

struct RegexMatch {
  size_t begin, end;
};

class Regex {
 public:
  // `name` stands in the Error of a bad pattern.
  Regex(std::string_view pattern, const std::string& name);

  // The first match at or after `start`. `text` is valid UTF-8 and `start` a character's first byte. Error
  // when the pattern needs too many steps on this text.
  std::optional<RegexMatch> find(std::string_view text, size_t start, RegexScratch& scratch) const;

  const std::string& translated() const { return translated_; }

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::string name_, translated_;
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace fathom
