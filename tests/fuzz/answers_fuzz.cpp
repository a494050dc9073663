// Two answers in one input, apart at the first line end: extractors find parts of the text, both forms of
// equivalence are symmetric and reflexive, and the lenient one holds where the strict one does. DROP's score
// of a text against itself is whole.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "answers/cloze_answer.h"
#include "answers/drop_score.h"
#include "answers/extract.h"
#include "answers/math_lenient.h"
#include "answers/math_strict.h"
#include "answers/normalisation.h"
#include "text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string a = text.substr(0, text.find('\n')), b = text.substr(std::min(a.size() + 1, size));
  for (const Extractor extractor :
       {Extractor::boxed, Extractor::hashes, Extractor::stated, Extractor::answer_tag, Extractor::last_number,
        Extractor::letter, Extractor::whole})
    if (const auto found = extract(text, extractor))
      if (found->empty() || text.find(*found) == std::string::npos) std::abort();
  const std::string_view valid = std::string_view(text).substr(0, valid_utf8_prefix(text));
  if (const auto found = cloze_answer(valid); found && valid.find(*found) == std::string::npos) std::abort();
  const std::vector<std::string> spans = drop_spans(valid);
  if (!spans.empty()) {
    const DropScore score = drop_score(spans, spans);
    if (score.exact != 1 || score.f1 != 1) std::abort();
  }
  constexpr Normalisation steps[] = {Normalisation::lower,       Normalisation::thousands,
                                     Normalisation::punctuation, Normalisation::articles,
                                     Normalisation::spaces,      Normalisation::trim};
  if (normalised(text, steps).size() > size) std::abort();
  const bool strict = math_equal_strict(a, b), lenient = math_equal_lenient(a, b);
  if (strict != math_equal_strict(b, a) || lenient != math_equal_lenient(b, a)) std::abort();
  if (strict && !lenient) std::abort();
  if (!math_equal_strict(a, a) || !math_equal_lenient(a, a)) std::abort();
  return 0;
}
