// MT-Bench (Zheng et al. 2023): 80 questions of two turns each, in the files that FastChat publishes.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "judge/prompt_text.h"

namespace fathom {

struct MtQuestion {
  int64_t id = 0;
  std::string category;
  std::array<std::string, 2> turns;

  // Mathematics, reasoning and coding (101 to 130 of the published ones): the judge sees a reference answer.
  bool needs_reference() const;
  // What upstream samples the answers of a category with: 0.7 for writing, 0 for mathematics, ...
  double temperature() const;
};

using MtTurns = std::array<std::string, 2>;
struct MtAnswers {
  std::string model;
  std::map<int64_t, MtTurns> turns;  // by question
};

struct JudgePrompt {
  std::string name, system;
  PromptText user;
};

struct MtBench {
  std::vector<MtQuestion> questions;
  MtAnswers references;
  std::map<std::string, JudgePrompt> prompts;  // by name
};

// question.jsonl; in the file's order. Errors of these readers name file and line.
std::vector<MtQuestion> read_mt_questions(const std::string& path);
// model_answer/MODEL.jsonl or reference_answer/JUDGE.jsonl: the first choice of each line. Error for answers
// of several models, and for a question that is answered twice.
MtAnswers read_mt_answers(const std::string& path);
// judge_prompts.jsonl.
std::map<std::string, JudgePrompt> read_judge_prompts(const std::string& path);

// Error when a question has no answer, naming `where`.
void check_answered(const MtAnswers& answers, const std::vector<MtQuestion>& questions,
                    const std::string& where);
// As the file that read_mt_answers() takes.
std::string mt_answer_lines(const MtAnswers& answers);

}  // namespace fathom
