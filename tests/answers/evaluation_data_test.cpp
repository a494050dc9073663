// Real answers, where the variable FATHOM_EVAL_DATA names a folder of evaluation files: math/*.jsonl with the
// field solution or the authors' cases of equivalence, gsm8k/*.jsonl. Every answer is found and equals
// itself.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "answers/extract.h"
#include "answers/math_lenient.h"
#include "answers/math_strict.h"
#include "io/json.h"
#include "io/lines.h"

namespace fathom {
namespace {

struct Counts {
  int answers = 0, cases = 0;
};

void check_answer(const Json& row, const std::string& field, Extractor extractor, Counts& counts) {
  const std::optional<std::string> answer = extract(row.at(field).get<std::string>(), extractor);
  ASSERT_TRUE(answer) << row.at(field);
  EXPECT_TRUE(math_equal_strict(*answer, *answer)) << *answer;
  EXPECT_TRUE(math_equal_lenient(*answer, *answer)) << *answer;
  // And not by the letter alone: as a person might write it.
  EXPECT_TRUE(math_equal_lenient(*answer, "$ " + *answer + " $.")) << *answer;
  ++counts.answers;
}

void check_case(const Json& row, Counts& counts) {
  const std::string a = row.at("a"), b = row.at("b");
  EXPECT_EQ(math_equal_strict(a, b), row.at("equivalent").get<bool>()) << a << " | " << b;
  EXPECT_EQ(math_equal_strict(b, a), row.at("equivalent").get<bool>()) << b << " | " << a;
  ++counts.cases;
}

TEST(EvaluationData, EveryAnswerIsFoundAndEqualsItself) {
  const char* folder = std::getenv("FATHOM_EVAL_DATA");
  if (!folder) GTEST_SKIP() << "FATHOM_EVAL_DATA is not set";
  Counts counts;
  for (const char* set : {"math", "gsm8k"})
    for (const auto& file : std::filesystem::directory_iterator(std::filesystem::path(folder) / set)) {
      LineReader lines(file.path());
      for (std::string line; lines.next(line);) {
        const Json row = parse_json(line, file.path());
        if (row.contains("equivalent"))
          check_case(row, counts);
        else if (row.contains("solution"))
          check_answer(row, "solution", Extractor::boxed, counts);
        else
          check_answer(row, "answer", Extractor::hashes, counts);
      }
    }
  EXPECT_GT(counts.answers, 0);
  EXPECT_GT(counts.cases, 0);
}

}  // namespace
}  // namespace fathom
