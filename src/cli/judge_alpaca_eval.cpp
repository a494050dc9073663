// fathom judge alpaca-eval [MODEL]: outputs against a baseline's, by a judge's token probabilities, with the
// length-controlled win rate.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/judge_flags.h"
#include "cli/standard_streams.h"
#include "io/file.h"
#include "judge/alpaca_scores.h"
#include "judge/judge_folder.h"

namespace fathom {
namespace {

struct Options {
  JudgeFlags common;
  std::string baseline, prompt, gamed, annotations;
};

std::optional<GamedBaseline> gamed_of(const Options& o, const AlpacaOutputs* baseline) {
  if (o.gamed.empty()) return std::nullopt;
  check(baseline, "--gamed needs --baseline, which numbers the instructions");
  return read_gamed_baseline(o.gamed, static_cast<int64_t>(baseline->rows.size()));
}

AlpacaScores scores_of(const Annotations& annotations, const std::optional<GamedBaseline>& gamed) {
  return alpaca_scores(annotations, gamed ? &*gamed : nullptr);
}

AlpacaScores score_file(const Options& o) {
  std::optional<AlpacaOutputs> baseline;
  if (!o.baseline.empty()) baseline = read_alpaca_outputs(o.baseline);
  const AlpacaOutputs* numbered = baseline ? &*baseline : nullptr;
  const std::optional<GamedBaseline> gamed = gamed_of(o, numbered);
  return scores_of(read_annotations(o.annotations, numbered), gamed);
}

OrderedJson settings_of(const Options& o) {
  OrderedJson settings = {{"benchmark", "alpaca-eval"},
                          {"baseline", hash_of_file(o.baseline)},
                          {"prompt", hash_of_file(o.prompt)},
                          {"seed", o.common.seed}};
  settings.update(answer_settings(o.common));
  settings.update(judge_settings(o.common));
  return settings;
}

AlpacaOutputs outputs_of(const Options& o, const AlpacaOutputs& baseline, const JudgeFolder& folder) {
  const JudgeFlags& f = o.common;
  if (!f.answers.empty()) {
    AlpacaOutputs outputs = read_alpaca_outputs(f.answers);
    if (!f.name.empty()) outputs.generator = f.name;
    return outputs;
  }
  AlpacaOutputs outputs;
  Journal journal = folder.journal("generated.jsonl");
  with_answers(f, [&](const AnswerAll& answer) {
    outputs = answer_alpaca(baseline, answering_model(f), answer, f.max_tokens, f.seed, journal);
  });
  if (const std::string endings = endings_of(journal); !endings.empty()) log::warn("{}", endings);
  write_file(folder.file("model_outputs.json"), alpaca_outputs_text(outputs));
  return outputs;
}

void warn_of_join(const AlpacaJoin& join) {
  if (join.missing > 0)
    log::warn("{} of {} instructions have no output and are left out", join.missing,
              join.missing + static_cast<int64_t>(join.pairs.size()));
  if (join.unknown > 0) log::warn("{} outputs are of no instruction of the baseline", join.unknown);
}

AlpacaScores judged(const Options& o) {
  check_answer_source(o.common);
  ChatEndpoint judge = judge_endpoint(o.common);
  check(!o.baseline.empty(), "--baseline is needed: model_outputs.json of the baseline");
  check(!o.prompt.empty(), "--prompt is needed: alpaca_eval_clf.txt of AlpacaEval");
  const AlpacaOutputs baseline = read_alpaca_outputs(o.baseline);
  const AlpacaPrompt prompt(o.prompt);
  const std::optional<GamedBaseline> gamed = gamed_of(o, &baseline);
  const JudgeFolder folder(o.common.out, settings_of(o));
  catch_interrupts();
  const AlpacaOutputs outputs = outputs_of(o, baseline, folder);
  const AlpacaJoin join = join_outputs(baseline, outputs);
  warn_of_join(join);
  Journal journal = folder.journal("judgements.jsonl");
  judge_all(judge, o.common.judging,
            alpaca_items(join, prompt, baseline.generator, outputs.generator, judge.model(), o.common.seed),
            read_alpaca_reply, journal);
  const Annotations annotations = annotations_of(join, baseline, outputs, judge.model(), journal);
  const AlpacaScores scores = scores_of(annotations, gamed);
  if (scores.unweighted > 0)
    log::warn("the judge gives no log-probabilities: {} preferences are 1 or 0, by its word",
              scores.unweighted);
  write_file(folder.file("annotations.json"), annotations_text(annotations, join));
  OrderedJson json = alpaca_json(scores);
  json["missing"] = join.missing;
  json["settings"] = folder.hash();
  write_file(folder.file("scores.json"), json.dump(1) + "\n");
  return scores;
}

void run(const Options& o) {
  const AlpacaScores scores = o.annotations.empty() ? judged(o) : score_file(o);
  if (!scores.length_controlled && !o.gamed.empty())
    log::warn("no length-controlled win rate: the lengths of the outputs do not vary");
  print_output("{}", o.common.json ? alpaca_json(scores).dump(1) + "\n" : alpaca_table(scores));
}

}  // namespace

void add_judge_alpaca_eval(CLI::App& judge) {
  auto o = std::make_shared<Options>();
  // As upstream's weighted_alpaca_eval_gpt4_turbo: the probabilities of one token.
  o->common.judging = {.temperature = 1, .max_tokens = 1, .top_log_probs = 5};
  o->common.max_tokens = 2048;
  CLI::App* command = judge.add_subcommand(
      "alpaca-eval", "Outputs against a baseline's, with the length-controlled win rate");
  add_judge_flags(*command, o->common);
  command->add_option("--baseline", o->baseline,
                      "model_outputs.json of the baseline: its instructions are asked");
  command->add_option("--prompt", o->prompt, "the judge's prompt: alpaca_eval_clf.txt of AlpacaEval");
  command->add_option("--gamed", o->gamed,
                      "df_gamed.csv of AlpacaEval, which the length-controlled win rate needs");
  command->add_option("--annotations", o->annotations,
                      "score this file of judgements in upstream's form, and ask nobody");
  command->callback([o] { run(*o); });
}

}  // namespace fathom
