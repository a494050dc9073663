#include "judge/mt_bench.h"

#include <set>

#include "base/error.h"
#include "io/json_rows.h"
#include "text/sent_json.h"

namespace fathom {
namespace {

MtTurns two_turns(const JsonObject& row) {
  const auto turns = row.required<std::vector<std::string>>("turns");
  check(turns.size() == 2, "{}: field 'turns' must have 2 texts, got {}", row.where(), turns.size());
  return {turns[0], turns[1]};
}

MtTurns first_choice(const JsonObject& row) {
  const auto choices = row.required<std::vector<Json>>("choices");
  check(!choices.empty(), "{}: field 'choices' is empty", row.where());
  check(choices[0].is_object(), "{}: field 'choices[0]' must be an object", row.where());
  return two_turns(JsonObject(choices[0], row.where() + ": choices[0]"));
}

}  // namespace

bool MtQuestion::needs_reference() const {
  return category == "math" || category == "reasoning" || category == "coding";
}

double MtQuestion::temperature() const {
  if (needs_reference() || category == "extraction") return 0;
  return category == "stem" || category == "humanities" ? 0.1 : 0.7;
}

std::vector<MtQuestion> read_mt_questions(const std::string& path) {
  std::vector<MtQuestion> questions;
  std::set<int64_t> ids;
  JsonRows rows(path);
  for (Json json; rows.next(json);) {
    const JsonObject row(json, rows.where());
    questions.push_back(
        {row.required<int64_t>("question_id"), row.required<std::string>("category"), two_turns(row)});
    check(ids.insert(questions.back().id).second, "{}: question {} is there twice", rows.where(),
          questions.back().id);
  }
  check(!questions.empty(), "{}: no questions", path);
  return questions;
}

MtAnswers read_mt_answers(const std::string& path) {
  MtAnswers answers;
  JsonRows rows(path);
  for (Json json; rows.next(json);) {
    const JsonObject row(json, rows.where());
    const auto id = row.required<int64_t>("question_id");
    const auto model = row.required<std::string>("model_id");
    if (answers.turns.empty()) answers.model = model;
    check(model == answers.model, "{}: an answer of '{}' among those of '{}'", rows.where(), model,
          answers.model);
    check(answers.turns.emplace(id, first_choice(row)).second, "{}: question {} is answered twice",
          rows.where(), id);
  }
  check(!answers.turns.empty(), "{}: no answers", path);
  return answers;
}

std::map<std::string, JudgePrompt> read_judge_prompts(const std::string& path) {
  std::map<std::string, JudgePrompt> prompts;
  JsonRows rows(path);
  for (Json json; rows.next(json);) {
    const JsonObject row(json, rows.where());
    const auto name = row.required<std::string>("name");
    const PromptText user(row.required<std::string>("prompt_template"), Braces::doubled);
    const bool added =
        prompts.emplace(name, JudgePrompt{name, row.optional<std::string>("system_prompt", ""), user}).second;
    check(added, "{}: the prompt '{}' is there twice", rows.where(), name);
  }
  check(!prompts.empty(), "{}: no prompts", path);
  return prompts;
}

void check_answered(const MtAnswers& answers, const std::vector<MtQuestion>& questions,
                    const std::string& where) {
  std::vector<int64_t> missing;
  for (const MtQuestion& q : questions)
    if (!answers.turns.contains(q.id)) missing.push_back(q.id);
  check(missing.empty(), "{}: no answer to {} of {} questions, the first is {}", where, missing.size(),
        questions.size(), missing.empty() ? 0 : missing[0]);
}

std::string mt_answer_lines(const MtAnswers& answers) {
  std::string text;
  for (const auto& [id, turns] : answers.turns)
    text += json_line(OrderedJson{{"question_id", id},
                                  {"model_id", answers.model},
                                  {"choices", {{{"index", 0}, {"turns", {turns[0], turns[1]}}}}}}) +
            "\n";
  return text;
}

}  // namespace fathom
