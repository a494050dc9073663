// Every subcommand registers itself with the program; one file each.
#pragma once
#include <CLI/App.hpp>

namespace fathom {

class World;

void add_chat(CLI::App& app);
void add_compare(CLI::App& app);
// Of `fathom eval`:
void add_eval_needle(CLI::App& eval);
void add_eval_positions(CLI::App& eval);
// Of `fathom judge`:
void add_judge_alpaca_eval(CLI::App& judge);
void add_judge_mt_bench(CLI::App& judge);
void add_eval_tasks(CLI::App& eval);
// The commands that several ranks run together take the world.
void add_dpo(CLI::App& app, World& world);
void add_extend(CLI::App& app, World& world);
void add_grpo(CLI::App& app, World& world);
void add_generate(CLI::App& app);
void add_info(CLI::App& app);
void add_merge(CLI::App& app);
void add_plan(CLI::App& app);
void add_prepare(CLI::App& app);
void add_report(CLI::App& app);
void add_reward(CLI::App& app, World& world);
void add_sandbox(CLI::App& app);
void add_sft(CLI::App& app, World& world);
void add_tokenize(CLI::App& app);
void add_train(CLI::App& app, World& world);
void add_train_tokenizer(CLI::App& app);
void add_verify(CLI::App& app);

// `world`: the ranks that this process was started among, which must outlive the app.
void add_commands(CLI::App& app, World& world);

}  // namespace fathom
