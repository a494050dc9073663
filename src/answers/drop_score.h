// Answers of DROP: several spans, compared by the rules of the data set's own evaluator (drop_eval of
// AllenNLP, Dua et al. 2019).
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct DropScore {
  double exact = 0;  // the same spans, in any order
  double f1 = 0;     // words in common, in hundredths
};

// A span without articles, punctuation and capitals; a number as Python writes it: "5" is "5.0". Hyphens
// separate words.
std::string drop_form(std::string_view span);

// The spans of an answer that is written as a list: what stands between its commas and the word "and".
std::vector<std::string> drop_spans(std::string_view answer);

// Of what is predicted, against one annotator's answer. Each span of one side is aligned with at most one of
// the other, so that the sum of their F1 is the largest; a span of the answer with numbers in it needs one of
// them in the predicted span. The sum is divided by the number of spans of the side that has more. Both sides
// have at least one span, all valid UTF-8.
DropScore drop_score(std::span<const std::string> predicted, std::span<const std::string> answer);

}  // namespace fathom
