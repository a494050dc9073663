// A small MT-Bench in upstream's form: three questions, prompts that show what they are filled with.
#pragma once
#include <string>

#include "io/file.h"
#include "io/json.h"
#include "support/temp_dir.h"
#include "text/sent_json.h"

namespace fathom::testing {

inline const std::vector<std::pair<int, std::string>> mt_questions = {
    {81, "writing"}, {101, "reasoning"}, {153, "humanities"}};

inline std::string mt_question_lines() {
  std::string text;
  for (const auto& [id, category] : mt_questions)
    text += json_line(Json{{"question_id", id},
                           {"category", category},
                           {"turns", {fmt::format("ask {} one", id), fmt::format("ask {} two", id)}}}) +
            "\n";
  return text;
}

// Answers to all questions that begin with `what`.
inline std::string mt_answer_lines_of(const std::string& model, const std::string& what) {
  std::string text;
  for (const auto& [id, category] : mt_questions)
    text += json_line(Json{
                {"question_id", id},
                {"answer_id", "x"},
                {"model_id", model},
                {"choices",
                 {{{"index", 0},
                   {"turns", {fmt::format("{} {} one", what, id), fmt::format("{} {} two", what, id)}}}}}}) +
            "\n";
  return text;
}

inline std::string mt_prompt_lines() {
  const auto line = [](const std::string& name, const std::string& text) {
    return json_line(Json{
               {"name", name}, {"type", "x"}, {"system_prompt", "You judge."}, {"prompt_template", text}}) +
           "\n";
  };
  const std::string two = "Q1 {question_1} A1 {answer_1} Q2 {question_2} A2 {answer_2}",
                    pairs = "A: {answer_a_1} / {answer_a_2} B: {answer_b_1} / {answer_b_2} {{}}",
                    reference = "R1 {ref_answer_1} R2 {ref_answer_2} ";
  return line("single-v1", "Q {question} A {answer}") +
         line("single-math-v1", "R {ref_answer_1} Q {question} A {answer}") +
         line("single-v1-multi-turn", two) + line("single-math-v1-multi-turn", reference + two) +
         line("pair-v2", "A: {answer_a} B: {answer_b}") +
         line("pair-math-v1", "R {ref_answer_1} A: {answer_a} B: {answer_b}") +
         line("pair-v2-multi-turn", pairs) + line("pair-math-v1-multi-turn", reference + pairs);
}

// question.jsonl, prompts.jsonl, references.jsonl (for every question), answers.jsonl and other.jsonl.
inline void write_mt_files(const TempDir& dir) {
  write_file(dir / "question.jsonl", mt_question_lines());
  write_file(dir / "prompts.jsonl", mt_prompt_lines());
  write_file(dir / "references.jsonl", mt_answer_lines_of("gpt-4", "reference"));
  write_file(dir / "answers.jsonl", mt_answer_lines_of("ours", "GOOD"));
  write_file(dir / "other.jsonl", mt_answer_lines_of("theirs", "poor"));
}

}  // namespace fathom::testing
