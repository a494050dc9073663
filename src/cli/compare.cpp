// fathom compare RUN RUN...: results of fathom eval and fathom judge side by side, in the terminal and as a
// page.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/threads.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/standard_streams.h"
#include "compare/leaderboard_page.h"
#include "io/file.h"

namespace fathom {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string names, tokens, tasks, metrics, baseline, html;
  uint64_t seed = 1234;
  int threads = 0;
  bool common = false, no_published = false, all_metrics = false, json = false;
};

CompareChoice choice_of(const Options& o) {
  CompareChoice choice;
  choice.runs.paths = o.runs;
  if (!o.names.empty()) choice.runs.names = comma_parts(o.names);
  if (!o.tasks.empty()) choice.runs.tasks = comma_parts(o.tasks);
  if (!o.metrics.empty()) choice.metrics = comma_parts(o.metrics);
  if (!o.tokens.empty())
    for (const std::string& part : comma_parts(o.tokens))
      choice.runs.tokens.push_back(parse_number<int64_t>("--tokens", part, {.low = 0}));
  choice.baseline = o.baseline, choice.common = o.common, choice.published = !o.no_published;
  choice.settings = {o.seed, o.threads > 0 ? o.threads : hardware_threads()};
  return choice;
}

void run(const Options& o) {
  const Comparison comparison = compare(choice_of(o));
  print_output(
      "{}",
      o.json ? comparison_json(comparison).dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n"
             : comparison_table(comparison, o.all_metrics));
  if (o.html.empty()) return;
  const std::string page = leaderboard_page(comparison);
  write_file(o.html, page);
  print_message("{}: {}\n", o.html, human_bytes(static_cast<double>(page.size())));
}

}  // namespace

void add_compare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "compare", "Results of several models: scores, paired differences, a leaderboard page");
  command
      ->add_option(
          "runs", o->runs,
          "folders that fathom eval or fathom judge wrote (--out); or OUT/eval of a training run, with a "
          "folder for each checkpoint")
      ->required();
  command->add_option("--html", o->html, "write the leaderboard as this page");
  command->add_flag("--json", o->json, "print JSON");
  command->add_option("--task", o->tasks, "these tasks alone, with commas between them");
  command->add_option(
      "--metric", o->metrics,
      "show these metrics, with commas between them, where a task has them, instead of the paper's");
  command->add_flag("--all-metrics", o->all_metrics, "print every metric and average");
  command->add_option("--baseline", o->baseline, "whom the others are compared with; the first by default");
  command->add_option(
      "--names", o->names,
      "a name for each run, with commas between them; checkpoints of one training run share one");
  command->add_option(
      "--tokens", o->tokens,
      "how many tokens each run's model was trained on, with commas between them, where the files do "
      "not say it");
  command->add_flag("--common", o->common, "leave out items that not all runs of a task have, asked alike");
  command->add_flag("--no-published", o->no_published, "without the paper's own scores");
  add_number(*command, "--seed", o->seed, "of intervals and permutation tests");
  add_threads(*command, o->threads);
  command->callback([o] { run(*o); });
}

}  // namespace fathom
