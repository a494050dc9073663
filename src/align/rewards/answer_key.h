// The key of an answer: what a data row says the right answer is.
#pragma once
#include <string>
#include <vector>

#include "align/rewards/declaration.h"
#include "answers/extract.h"

namespace fathom {

// Where rows have their key. Parameters: `field` ("answer"; "a.b" for a field of an object), and
// `key_extract`, the extractors that are tried on it, which must end in one that fits.
class AnswerKey {
 public:
  AnswerKey(RewardParameters& parameters, std::vector<std::string> extractors);

  // The accepted answers: one, or those of a list. Error when the row has none; a number or a truth value
  // counts as its JSON text.
  std::vector<std::string> of(const Json& row) const;

 private:
  std::string accepted(const Json& value) const;

  std::string field_;
  std::vector<Extractor> extractors_;
};

}  // namespace fathom
