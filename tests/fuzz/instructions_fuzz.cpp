// A row of IFEval in the first line, ids and arguments, and an answer behind it: refused with an Error, or
// what an answer follows it follows loosely too; words with capitals are no more than two for each character.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "answers/instructions.h"
#include "answers/language.h"
#include "answers/sentences.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string row = text.substr(0, text.find('\n')),
                    answer = text.substr(std::min(row.size() + 1, size));
  try {
    const Json json = parse_json(row, "row");
    if (!json.is_object()) return 0;
    for (const Instruction& instruction :
         parse_instructions(json.value("ids", Json()), json.value("kwargs", Json()), "row")) {
      if (follows_loosely(instruction, answer) < follows(instruction, answer)) std::abort();
      const auto n = static_cast<int64_t>(answer.size());
      if (count_words(answer) > n || count_sentences(answer) > n || count_capital_words(answer) > 2 * n)
        std::abort();
      if (const auto code = language_of(answer); code && !is_known_language(*code)) std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
