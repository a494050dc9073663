// fathom eval needle MODEL --text FILE: needle in a haystack over lengths and depths.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/eval_flags.h"
#include "cli/flags.h"
#include "cli/standard_streams.h"
#include "engine/prompt_chunk.h"
#include "eval/needle_run.h"
#include "eval/text_tokens.h"
#include "io/file.h"

namespace fathom {
namespace {

struct Options {
  EvalFlags common;
  std::string out, picture;
  std::string lengths, depths = "0,10,20,30,40,50,60,70,80,90,100", tasks = "number";
  NeedleSettings settings;
  int64_t sequences = 4;
  bool json = false;
};

NeedleSettings settings_of(const Options& o) {
  NeedleSettings s = o.settings;
  s.tasks.clear();
  for (const std::string& name : comma_parts(o.tasks)) s.tasks.push_back(needle_task_named(name));
  for (const std::string& part : comma_parts(o.lengths))
    s.lengths.push_back(parse_number<int64_t>("--lengths", part, {.low = 1}));
  for (const std::string& part : comma_parts(o.depths))
    s.depths.push_back(parse_number<double>("--depths", part, {.low = 0, .high = 100}) / 100);
  check_needle_settings(s);
  return s;
}

void run(const Options& o) {
  const NeedleSettings settings = settings_of(o);
  const Tokenizer tokenizer = load_tokenizer(o.common);
  const int64_t longest = *std::max_element(settings.lengths.begin(), settings.lengths.end());
  // Every sample begins at another place.
  const NeedleMaker maker(tokenizer, text_tokens(o.common.text, o.common.text_field, tokenizer, 4 * longest),
                          settings);
  Device device = Device::named(o.common.device, o.common.threads);
  const Model model = load_model(o.common, device);
  const int64_t room = std::min(longest, model.config.max_position_embeddings);
  EngineOptions options = EngineOptions::for_sequences(o.sequences, room);
  options.token_budget = prompt_chunk(device, model, options, room);
  Engine engine(device, model, &tokenizer, options);
  catch_interrupts();
  const NeedleResults results = run_needles(engine, maker, settings);

  OrderedJson json = {{"model", o.common.model},
                      {"text", o.common.text},
                      {"longest_context", model.config.max_position_embeddings}};
  json.update(needle_json(settings, results));
  if (!o.picture.empty())
    write_file(o.picture, needle_picture(settings, results, "needle in a haystack: " + o.common.model));
  if (!o.out.empty()) write_file(o.out, json.dump(1) + "\n");
  print_output("{}", o.json ? json.dump(1) + "\n" : needle_table(settings, results));
}

}  // namespace

void add_eval_needle(CLI::App& eval) {
  auto o = std::make_shared<Options>();
  NeedleSettings& s = o->settings;
  CLI::App* command = eval.add_subcommand("needle", "Find a number that stands somewhere in a long text");
  add_eval_flags(*command, o->common, "what the needles are hidden in");
  command->add_option("--lengths", o->lengths, "tokens of prompt and answer, with commas between them")
      ->required();
  command->add_option("--depths", o->depths, "of the needle, in percent, with commas between them")
      ->capture_default_str();
  command
      ->add_option(
          "--tasks", o->tasks,
          "number (one needle), key (several, one is asked for), last (several of one key, the last is "
          "asked for)")
      ->capture_default_str();
  add_number(*command, "--samples", s.samples, "questions of each length and depth", {.low = 1});
  add_number(*command, "--needles", s.needles, "of the tasks with several");
  add_number(*command, "--digits", s.digits, "of a number");
  add_number(*command, "--seed", s.seed, "of keys, numbers and places");
  command->add_option("--needle", s.needle, "the sentence that is hidden")->capture_default_str();
  command->add_option("--question", s.question, "what the model continues")->capture_default_str();
  add_number(*command, "--sequences", o->sequences, "questions worked on at a time",
             {.low = 1, .high = 1024});
  command->add_option("--out", o->out, "write every answer to this JSON file");
  command->add_option("--picture", o->picture, "draw an SVG picture to this file");
  command->add_flag("--json", o->json, "print JSON");
  command->callback([o] { run(*o); });
}

}  // namespace fathom
