// Forms in which data sets are published besides those of tests/eval/samples: exports of other sites, other
// releases. What is asked and what is right is found in each of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "eval/prompt_preview.h"
#include "eval/task.h"
#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

struct Layout {
  std::string name, task;
  std::vector<std::pair<std::string, std::string>> files;
  std::vector<std::string> shown;  // of all items
};

std::ostream& operator<<(std::ostream& out, const Layout& layout) {
  return out << layout.name;
}

const std::vector<Layout> layouts = {
    {"RaceQuestionALine",
     "race_high",
     {{"race/high/test.jsonl",
       R"({"example_id": "high1.txt", "article": "Tom has a boat.", "answer": "B", "question": "What has he?", "options": ["a car", "a boat"]})"}},
     {"Tom has a boat.\n\nQ: What has he?\nA:", "* B: \" a boat\""}},
    {"RacePassageALine",
     "race_middle",
     {{"race/middle/test.jsonl",
       R"({"article": "T.", "questions": ["q1", "q2"], "options": [["a", "b"], ["c", "d"]], "answers": ["A", "B"]})"}},
     {"Q: q1\nA:", "Q: q2\nA:", "* B: \" d\""}},
    {"FewClueChid",
     "chid",
     {{"chid/test_public.json",
       "{\"id\": 1, \"candidates\": [\"X\", \"Y\"], \"content\": \"a #idiom# b\", \"answer\": 1}\n"
       "{\"id\": 2, \"candidates\": [\"X\", \"Y\"], \"content\": \"#idiom#.\", \"answer\": 0}\n"}},
     {"* Y: \"Y b\"", "* X: \"X.\""}},
    {"ClueCmrc",
     "cmrc",
     {{"cmrc/dev.json",
       R"({"version": "v1.0", "data": [{"id": "D", "paragraphs": [{"id": "P", "context": "C.", "qas": [{"question": "Q?", "id": "Q1", "answers": [{"text": "c", "answer_start": 0}]}]}]}]})"}},
     {"item Q1", "问：Q?", "right by exact: c\n"}},
    {"CmrcExport",
     "cmrc",
     {{"cmrc/validation.jsonl",
       R"({"id": "Q1", "context": "C.", "question": "Q?", "answers": {"text": ["c", "d"], "answer_start": [0, 1]}})"}},
     {"文章：C.", "right by exact: c | d\n"}},
    {"CluewscExport",
     "cluewsc",
     {{"cluewsc/validation.jsonl",
       "{\"text\": \"t\", \"target\": {\"span1_text\": \"a\", \"span2_text\": \"b\"}, \"label\": 0}\n"
       "{\"text\": \"u\", \"target\": {\"span1_text\": \"a\", \"span2_text\": \"b\"}, \"label\": 1}\n"}},
     {"right by exact: 是\n", "right by exact: 不是\n"}},
    {"DropExport",
     "drop",
     {{"drop/validation.jsonl",
       R"({"query_id": "q", "passage": "P.", "question": "Q?", "answer": {"number": "", "date": {"day": "", "month": "", "year": ""}, "spans": ["a", "b"]}, "validated_answers": {"number": ["3", ""], "date": [{"day": "", "month": "", "year": ""}, {"day": "1", "month": "May", "year": ""}], "spans": [[], []]}})"}},
     {"Passage: P.\nQuestion: Q?\nAnswer:", R"(right by f1_strict: ["a", "b"] | ["3"] | ["1 May "])"}},
    {"BbhExport",
     "bbh",
     {{"bbh/navigate.jsonl", R"({"input": "Do you return?", "target": "Yes"})"},
      {"bbh/cot-prompts/navigate.txt", "x\n-----\nNavigate."}},
     {"Navigate.\n\nQ: Do you return?\nA: Let's think step by step.", "right by exact: Yes\n"}},
    {"TriviaQaExport",
     "triviaqa_web",
     {{"triviaqa/validation.jsonl",
       R"({"question": "Q?", "question_id": "q", "answer": {"value": "A", "aliases": ["A"], "normalized_aliases": ["a", "an a"]}})"}},
     {"item q", "Question: Q?\nAnswer:", "right by exact: A | a | an a\n"}},
    {"TriviaQaReadingComprehension",
     "triviaqa_web",
     {{"triviaqa/triviaqa-rc/qa/wikipedia-dev.json",
       R"({"Data": [{"Question": "Q?", "QuestionId": "q", "Answer": {"Value": "A", "Aliases": ["A"], "NormalizedAliases": ["a"], "HumanAnswers": ["the A"]}}]})"}},
     {"right by exact: A | a | the A\n"}},
    {"SanitizedMbpp",
     "mbpp",
     {{"mbpp/sanitized-mbpp.json",
       R"([{"source_file": "f", "task_id": 11, "prompt": "Write it.", "code": "c", "test_imports": ["import math"], "test_list": ["assert 1"]}])"}},
     {"here is your task: Write it. Your code", "item 11"}},
    {"MgsmTable",
     "mgsm_zh",
     {{"mgsm_zh/mgsm_zh.tsv", "一加一？\t2\n"}},
     {"问题：一加一？", "right by lenient: 2\n"}},
    {"ArcExport",
     "arc_easy",
     {{"arc/ARC-Easy/test.jsonl",
       R"({"id": "x", "question": "Q?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"})"}},
     {"Question: Q?\nAnswer:", "* 2: \" b\""}},
    {"MmluExport",
     "mmlu",
     {{"mmlu/virology/test.jsonl",
       R"({"question": "Q?", "subject": "virology", "choices": ["a", "b", "c", "d"], "answer": 2})"}},
     {"about virology", "Q?\nA. a\nB. b\nC. c\nD. d\nAnswer:", "* C: \" C\""}},
    {"PiqaExport",
     "piqa",
     {{"piqa/validation.jsonl", R"({"goal": "G", "sol1": "a", "sol2": "b", "label": 1})"}},
     {"Question: G\nAnswer:", "* B: \" b\""}},
    {"PiqaArchive",
     "piqa",
     {{"piqa/physicaliqa-train-dev/dev.jsonl", R"({"goal": "G", "sol1": "a", "sol2": "b"})"},
      {"piqa/physicaliqa-train-dev/dev-labels.lst", "0\n"}},
     {"* A: \" a\""}},
    {"CmathOfItsAuthors",
     "cmath",
     {{"cmath/datasets/cmath_dev.jsonl", R"({"grade": 1, "input": "一加一？", "golden": "2"})"}},
     {"问题：一加一？", "right by lenient: 2\n"}},
    {"MathArchive",
     "math",
     {{"math/MATH/test/algebra/1.json",
       R"({"problem": "P1", "level": "", "type": "", "solution": "\\boxed{1}"})"},
      {"math/MATH/test/geometry/7.json", "{\"problem\": \"P2\",\n \"solution\": \"\\\\boxed{2}\"}"}},
     {"P1", "P2", "right by strict: 2\n"}},
    {"AgievalOneAnswer",
     "agieval",
     {{"agieval/data/v1_1/gaokao-physics.jsonl",
       R"({"passage": null, "question": "Q", "options": ["(A)a", "(B)b", "(C)c", "(D)d"], "label": "C", "answer": null})"}},
     {"问题：Q 选项：(A)a (B)b (C)c (D)d\n答案：从A到D, 我们应选择", "right by strict: C\n"}},
};

class Layouts : public ::testing::TestWithParam<Layout> {};

TEST_P(Layouts, AreRead) {
  const Layout& layout = GetParam();
  const TempDir dir;
  for (const auto& [path, text] : layout.files) {
    std::filesystem::create_directories(std::filesystem::path(dir / path).parent_path());
    write_file(dir / path, text);
  }
  Task task = task_named(layout.task);
  task.shots.count = 0;
  const TaskItems data = read_items(task, dir.path(), 0);
  EXPECT_TRUE(data.malformed.empty()) << data.malformed[0];
  std::string all;
  for (const SubjectItems& subject : data.subjects)
    for (const Item& item : subject.items) all += prompt_preview(task, data, item.id, 1, nullptr);
  for (const std::string& shown : layout.shown) EXPECT_THAT(all, HasSubstr(shown));
}

INSTANTIATE_TEST_SUITE_P(All, Layouts, ::testing::ValuesIn(layouts),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace fathom::testing
