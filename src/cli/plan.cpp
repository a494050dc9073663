// fathom plan, in its two forms: for a recipe on a cluster, and for a pipeline whose times are given.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/plan.h"

namespace fathom {
namespace {

constexpr const char* recipe_group = "A recipe on a cluster";
constexpr const char* schedule_group = "A pipeline alone";

struct Options {
  RecipePlanOptions recipe;
  ScheduleOptions schedule;
  std::string picture;
  bool json = false;
};

void add_recipe_flags(CLI::App& command, RecipePlanOptions& o) {
  const auto in_group = [](CLI::Option* option) { option->group(recipe_group); };
  const Allowed<int64_t> count{.low = 1, .high = 1 << 20};
  const Allowed<double> speed{.low = 0, .low_excluded = true};
  in_group(add_number(command, "--gpus", o.gpus, "GPUs of the cluster", count));
  in_group(add_number(command, "--gpu-memory", o.gpu_memory, "GB of memory of each",
                      Allowed<double>{.low = 0, .high = 1e6, .low_excluded = true}));
  in_group(add_number(command, "--expert-load", o.expert_load,
                      "tokens of the experts' fullest rank over the average, which memory is planned for",
                      Allowed<double>{.low = 1, .high = 1024}));
  in_group(add_number(command, "--reserve", o.reserve,
                      "GB of them for the driver, the libraries and what is not in a formula",
                      Allowed<double>{.low = 0}));
  in_group(add_number(command, "--gpus-per-host", o.gpus_per_host, "GPUs of a host", count));
  in_group(add_number(command, "--in-host", o.in_host,
                      "GB/s that a GPU sends to others of its host while it receives as many", speed));
  in_group(add_number(command, "--between-hosts", o.between_hosts, "GB/s of a GPU to other hosts", speed));
  in_group(add_number(command, "--latency", o.latency, "microseconds of a small message",
                      Allowed<double>{.low = 0}));
  in_group(
      command.add_option("--rates", o.rates,
                         "how fast a GPU computes: what step_bench wrote; by default bench/rates/h100.json"));
  in_group(
      add_number(command, "--parallel.pipeline", o.limits.pipeline, "only plans of so many stages", count));
  in_group(add_number(command, "--parallel.expert", o.limits.expert,
                      "only plans whose experts are on so many ranks", count));
  in_group(add_number(command, "--batch.micro_batch", o.limits.micro_batch,
                      "only micro-batches of so many sequences", count));
}

void add_schedule_flags(CLI::App& command, ScheduleOptions& o) {
  const auto in_group = [](CLI::Option* option) { option->group(schedule_group); };
  in_group(add_number(command, "--stages", o.stages, "stages of the pipeline",
                      Allowed<int>{.low = 1, .high = 1024}));
  in_group(add_number(command, "--micro-batches", o.micro_batches, "micro-batches of a step",
                      Allowed<int>{.low = 1, .high = 4096}));
  in_group(
      command
          .add_option_function<std::vector<std::string>>(
              "--times",
              [&o](const std::vector<std::string>& all) {
                for (const std::string& text : all) o.times.push_back(parse_pass_times(text));
              },
              "of a micro-batch's forward pass, input gradient and weight gradient, in any unit; once for "
              "all stages or once for each; by default 1,1,1")
          ->type_name("F,I,W")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll));
  in_group(
      add_number(command, "--send", o.send, "time until the next stage has what a pass sends", {.low = 0}));
  in_group(add_number(command, "--kept", o.kept,
                      "part of a micro-batch's activations that its weight gradients need",
                      {.low = 0, .high = 1}));
  std::vector<std::string> kinds;
  for (const ScheduleKind kind : schedule_kinds) kinds.emplace_back(name_of(kind));
  in_group(add_choice(command, "--kind", o.kind, "the schedule to draw", kinds));
}

// A flag of the other form has no effect: it must not pass unseen.
void check_form(const CLI::App& command, const char* wrong_group, const std::string& form) {
  for (const CLI::Option* option : command.get_options())
    check(option->get_group() != wrong_group || option->count() == 0, "{} does not go with {}",
          option->get_name(), form);
}

void plan(const CLI::App& command, Options& o) {
  if (o.recipe.recipe.empty()) {
    check_form(command, recipe_group, "a plan without a recipe");
    check(o.schedule.stages.has_value() || o.schedule.micro_batches.has_value(),
          "plan: a recipe is needed, with --gpus and --gpu-memory, or --stages and --micro-batches");
    check(o.schedule.stages.has_value(), "--stages is required");
    check(o.schedule.micro_batches.has_value(), "--micro-batches is required");
    o.schedule.picture = o.picture, o.schedule.json = o.json;
    plan_schedule(o.schedule);
    return;
  }
  check_form(command, schedule_group, "a recipe");
  check(o.recipe.gpus.has_value(), "--gpus is required with a recipe");
  check(o.recipe.gpu_memory.has_value(), "--gpu-memory is required with a recipe");
  o.recipe.picture = o.picture, o.recipe.json = o.json;
  plan_recipe(o.recipe);
}

}  // namespace

void add_plan(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("plan", "Which plans for several GPUs fit, and what each gives; pipeline schedules");
  const auto options = std::make_shared<Options>();
  command->add_option("recipe", options->recipe.recipe, "the recipe to plan for, a TOML file");
  command->add_option("--schedule", options->picture,
                      "draw a schedule, of a recipe the best plan's, as an SVG picture to this file");
  command->add_flag("--json", options->json, "print JSON");
  add_recipe_flags(*command, options->recipe);
  add_schedule_flags(*command, options->schedule);
  command->callback([options, command] { plan(*command, *options); });
}

}  // namespace fathom
