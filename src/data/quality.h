// Rules that tell text worth training on from the rest: those of Gopher (Rae et al. 2021, appendix A1) and C4
// (Raffel et al. 2020) that judge whole documents. A rule is a measure with a lowest and a highest value; a
// text exactly on a limit passes.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/repetition.h"
#include "data/words.h"

namespace fathom {

enum class Script {
  any,     // the rule is for every text
  spaced,  // for text whose words stand between spaces: not Chinese, Japanese, Thai, ...
  latin    // for text mostly in Latin letters
};

struct JudgedText;

struct QualityRule {
  std::string_view name;
  double lowest, highest;
  Script script;
  double (*measure)(JudgedText&);
};
// In the order in which they are looked at.
std::span<const QualityRule> quality_rules();

// What a text breaks.
struct QualityFailure {
  const QualityRule* rule;
  double value;
  // "words 12 < 50"
  std::string text() const;
};

class QualityFilter {
 public:
  // Without the rules that are named in `off`. Error for a name that is no rule's.
  explicit QualityFilter(const std::vector<std::string>& off = {});

  // The first rule that the text breaks. `words` are the text's. An empty text has too few words.
  std::optional<QualityFailure> failure(std::string_view text, std::span<const Word> words,
                                        RepetitionScratch& scratch) const;

 private:
  std::vector<const QualityRule*> rules_;
  FlatMap<uint64_t> stop_words_;  // the hash of a word: a bit for each language's word that it is
};

}  // namespace fathom
