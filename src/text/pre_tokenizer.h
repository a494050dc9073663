// The pre-tokenizer of a tokenizer.json: cuts text into the pieces that BPE works on. Each stage cuts the
// pieces that the stage before it left. Supported: Sequence, Split, Digits, Punctuation, Whitespace,
// WhitespaceSplit and a final ByteLevel; anything else is an Error that names it.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/json.h"
#include "text/char_classes.h"
#include "text/regex.h"

namespace fathom {

using PieceSink = std::function<void(std::string_view)>;

class PreTokenizer {
 public:
  // `json` is the value of "pre_tokenizer"; `where` stands in errors. With `fast` false every pattern runs
  // through PCRE2, which the tests compare with the table scans.
  PreTokenizer(const Json& json, const std::string& where, bool fast = true);

  // Hands the pieces of `text`, valid UTF-8, to `sink` in order. A piece need not point into `text`.
  void split(std::string_view text, RegexScratch& scratch, const PieceSink& sink) const;

 private:
  enum class Behavior { isolated, removed, merged_with_previous, merged_with_next, contiguous };
  struct PrefixSpace {};  // puts a space before a piece that does not start with one
  struct Stage {
    std::variant<ClassPattern, Regex, PrefixSpace> matcher;
    Behavior behavior = Behavior::isolated;
    bool invert = false;  // what matches and what lies between change places
  };
  struct Part {
    size_t begin, end;
    bool match;
  };

  void add(const Json& json, const std::string& where);
  void add_split(const JsonObject& object);
  void add_byte_level(const JsonObject& object);
  void add_pattern(std::string_view pattern, Behavior behavior, bool invert = false);
  bool assign_bits(ClassPattern& simple);
  static Behavior parse_behavior(const std::string& name, const std::string& where);

  void run(size_t stage, std::string_view text, RegexScratch& scratch, const PieceSink& sink) const;
  void run_with_space(size_t stage, std::string_view text, RegexScratch& scratch,
                      const PieceSink& sink) const;
  std::optional<RegexMatch> find(const Stage& stage, std::string_view text, size_t start, RegexScratch&,
                                 ClassPattern::Seen& seen) const;
  // The first stage from `index` on that may do anything to what another one has matched.
  size_t next_stage(size_t index, const ClassPattern::Seen& seen) const;
  std::vector<Part> parts(const Stage& stage, std::string_view text, RegexScratch& scratch) const;
  static std::vector<Part> arrange(std::vector<Part> parts, Behavior behavior);

  std::string where_;
  bool fast_, byte_level_ = false;
  std::vector<Stage> stages_;
  std::vector<std::string> class_regexes_;
  std::optional<CharClasses> classes_;
};

}  // namespace fathom
