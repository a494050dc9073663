// fathom judge mt-bench [MODEL]: two-turn answers rated by a judge, or compared with another model's.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/judge_flags.h"
#include "cli/standard_streams.h"
#include "io/file.h"
#include "io/json_rows.h"
#include "judge/judge_folder.h"
#include "judge/mt_bench_items.h"
#include "judge/mt_bench_scores.h"
#include "judge/pair_scores.h"
#include "judge/verdict.h"

namespace fathom {
namespace {

struct Options {
  JudgeFlags common;
  std::string questions, prompts, references, against, judgements;
};

struct Results {
  OrderedJson json;
  std::string table;
};

// A judgement counts by its words when they are scored; here is only asked whether they say anything.
Reading read_single(const JudgeItem&, const ChatReply& reply) {
  const JudgeVerdict<double> rating = read_rating(*reply.text);
  if (!rating.value) return {.fields = {}, .failure = rating.failure};
  return {.fields = {{"score", *rating.value}}, .failure = ""};
}

Reading read_pair(const JudgeItem& item, const ChatReply& reply) {
  const JudgeVerdict<Winner> winner = read_winner(*reply.text);
  if (!winner.value) return {.fields = {}, .failure = winner.failure};
  const bool swapped = item.about.at("game") == 2;
  const char* name = *winner.value == Winner::tie                  ? "tie"
                     : (*winner.value == Winner::first) != swapped ? "model_1"
                                                                   : "model_2";
  return {.fields = {{"winner", name}}, .failure = ""};
}

Results scored(const std::vector<std::pair<Json, std::string>>& rows,
               const std::vector<MtQuestion>& questions) {
  check(!rows.empty(), "no judgements");
  if (!rows[0].first.contains("model_1")) {
    std::vector<Rated> ratings;
    for (const auto& [row, where] : rows) ratings.push_back(rated_from_json(row, where));
    const std::vector<RatingScores> scores = rating_scores(ratings, questions);
    return {rating_json(scores), rating_table(scores)};
  }
  PlayedPairs pairs;
  for (const auto& [row, where] : rows) pairs.add(row, where);
  const PairScores scores = pair_scores(pairs.all(), questions);
  return {pair_json(scores), pair_table(scores)};
}

Results score_file(const Options& o) {
  std::vector<std::pair<Json, std::string>> rows;
  JsonRows file(o.judgements);
  for (Json row; file.next(row);) {
    check(row.is_object(), "{}: a judgement must be a JSON object", file.where());
    rows.emplace_back(row, file.where());
  }
  check(!rows.empty(), "{}: no judgements", o.judgements);
  return scored(rows, o.questions.empty() ? std::vector<MtQuestion>() : read_mt_questions(o.questions));
}

MtBench read_bench(const Options& o) {
  check(!o.questions.empty(), "--questions is needed: question.jsonl of MT-Bench");
  check(!o.prompts.empty(), "--prompts is needed: judge_prompts.jsonl of MT-Bench");
  MtBench bench{read_mt_questions(o.questions), {}, read_judge_prompts(o.prompts)};
  const bool needed = std::any_of(bench.questions.begin(), bench.questions.end(),
                                  [](const MtQuestion& q) { return q.needs_reference(); });
  check(!needed || !o.references.empty(),
        "--references is needed: reference_answer/gpt-4.jsonl of MT-Bench, for questions of mathematics, "
        "reasoning and coding");
  if (needed) bench.references = read_mt_answers(o.references);
  return bench;
}

OrderedJson settings_of(const Options& o) {
  OrderedJson settings = {{"benchmark", "mt-bench"},
                          {"mode", o.against.empty() ? "single" : "pairwise"},
                          {"questions", hash_of_file(o.questions)},
                          {"prompts", hash_of_file(o.prompts)}};
  if (!o.references.empty()) settings["references"] = hash_of_file(o.references);
  if (!o.against.empty()) settings["against"] = hash_of_file(o.against);
  settings.update(answer_settings(o.common));
  settings.update(judge_settings(o.common));
  return settings;
}

MtAnswers answers_of(const Options& o, const std::vector<MtQuestion>& questions, const JudgeFolder& folder) {
  const JudgeFlags& f = o.common;
  MtAnswers answers;
  if (!f.answers.empty()) {
    answers = read_mt_answers(f.answers);
    check_answered(answers, questions, f.answers);
    if (!f.name.empty()) answers.model = f.name;
    return answers;
  }
  Journal journal = folder.journal("generated.jsonl");
  with_answers(f, [&](const AnswerAll& answer) {
    answers = answer_mt_bench(questions, answering_model(f), answer, f.max_tokens, f.seed, journal);
  });
  if (const std::string endings = endings_of(journal); !endings.empty()) log::warn("{}", endings);
  write_file(folder.file("answers.jsonl"), mt_answer_lines(answers));
  return answers;
}

Results judged(const Options& o) {
  check_answer_source(o.common);
  ChatEndpoint judge = judge_endpoint(o.common);
  const MtBench bench = read_bench(o);
  MtAnswers against;
  if (!o.against.empty()) {
    against = read_mt_answers(o.against);
    check_answered(against, bench.questions, o.against);
  }
  const JudgeFolder folder(o.common.out, settings_of(o));
  catch_interrupts();
  const MtAnswers answers = answers_of(o, bench.questions, folder);
  const std::vector<JudgeItem> items = o.against.empty() ? rating_items(bench, answers, judge.model())
                                                         : pair_items(bench, answers, against, judge.model());
  Journal journal = folder.journal("judgements.jsonl");
  judge_all(judge, o.common.judging, items, o.against.empty() ? read_single : read_pair, journal);
  std::vector<std::pair<Json, std::string>> rows;
  for (const JudgeItem& item : items)
    rows.emplace_back(*journal.row(item.id), journal.path() + ": " + item.id);
  Results results = scored(rows, bench.questions);
  results.json["judge"] = judge.model();
  results.json["settings"] = folder.hash();
  write_file(folder.file("scores.json"), results.json.dump(1) + "\n");
  return results;
}

void run(const Options& o) {
  const Results results = o.judgements.empty() ? judged(o) : score_file(o);
  print_output("{}", o.common.json ? results.json.dump(1) + "\n" : results.table);
}

}  // namespace

void add_judge_mt_bench(CLI::App& judge) {
  auto o = std::make_shared<Options>();
  o->common.max_tokens = 1024;
  CLI::App* command =
      judge.add_subcommand("mt-bench", "Two-turn answers, rated from 1 to 10 or compared in pairs");
  add_judge_flags(*command, o->common);
  command->add_option("--questions", o->questions, "question.jsonl of MT-Bench");
  command->add_option("--prompts", o->prompts, "judge_prompts.jsonl of MT-Bench");
  command->add_option("--references", o->references, "reference_answer/gpt-4.jsonl of MT-Bench");
  command->add_option(
      "--against", o->against,
      "answers of another model, in the form of --answers: compare both in pairs, in both orders");
  command->add_option("--judgements", o->judgements,
                      "score this file of judgements, ours or FastChat's, and ask nobody");
  command->callback([o] { run(*o); });
}

}  // namespace fathom
