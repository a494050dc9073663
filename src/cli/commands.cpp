#include "cli/commands.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"
#include "comm/world.h"

namespace fathom {
namespace {

constexpr std::array<std::string_view, 5> trains_on_ranks = {"train", "extend", "sft", "reward", "dpo"};

bool takes_ranks(const std::string& name) {
  return std::find(trains_on_ranks.begin(), trains_on_ranks.end(), name) != trains_on_ranks.end();
}

// Each rank would do all of the work, and write the same files.
void refuse_ranks(CLI::App& command, const World& world) {
  command.preparse_callback([name = command.get_name(), ranks = world.size()](size_t) {
    check(ranks == 1,
          "fathom {} runs as one process, and was launched as {} ranks; several are for {}", name, ranks,
          fmt::join(trains_on_ranks, ", "));
  });
}

}  // namespace

void add_commands(CLI::App& app, World& world) {
  add_chat(app);
  add_compare(app);
  add_dpo(app, world);
  CLI::App* eval = app.add_subcommand("eval", "Evaluate a model");
  eval->require_subcommand(0, 1);
  add_eval_needle(*eval);
  add_eval_positions(*eval);
  add_eval_tasks(*eval);
  add_extend(app, world);
  add_generate(app);
  add_grpo(app, world);
  add_info(app);
  CLI::App* judge = app.add_subcommand("judge", "Benchmarks that a judging model decides");
  judge->require_subcommand(1);
  add_judge_alpaca_eval(*judge);
  add_judge_mt_bench(*judge);
  add_merge(app);
  add_plan(app);
  add_prepare(app);
  add_report(app);
  add_reward(app, world);
  add_sandbox(app);
  add_sft(app, world);
  add_tokenize(app);
  add_train(app, world);
  add_train_tokenizer(app);
  add_verify(app);
  // A flag without a value takes none: --json=7 is an error.
  for (CLI::App* command : app.get_subcommands({})) {
    if (!takes_ranks(command->get_name())) refuse_ranks(*command, world);
    for (CLI::Option* option : command->get_options())
      if (option->get_expected_max() == 0) option->disable_flag_override();
  }
}

}  // namespace fathom
