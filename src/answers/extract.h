// Where an answer stands in a text: the models' and the data sets' ways of marking it.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class Extractor {
  boxed,        // \boxed{...} or \fbox{...}, braces balanced; also "\boxed 5"
  hashes,       // "#### 18": to the end of the line, behind the last mark; GSM8K's own rule takes the first
  stated,       // "the answer is 18", "Answer: 18", "答案是18": to the end of the sentence
  answer_tag,   // <answer>...</answer>
  last_number,  // the last number of the text
  cloze,        // of mathematics with a blank, as AGIEval finds it (answers/cloze_answer.h)
  letter,       // the first capital letter A to J that stands alone, "(B)", "B.", "选B": of an option
  whole         // all of it, without the blanks around
};

// "boxed", "hashes", ... Error naming `where` for an unknown one.
Extractor parse_extractor(const std::string& name, const std::string& where);

// The last answer so marked. Nothing when there is none, when it has no end (the text was cut off), or when
// it is empty. A later mark without an end hides earlier ones, so that only the final answer counts. Blanks
// around the answer are not part of it.
std::optional<std::string> extract(std::string_view text, Extractor extractor);

// By the first extractor that finds one.
std::optional<std::string> extract_first(std::string_view text, std::span<const Extractor> extractors);

}  // namespace fathom
