// fathom eval MODEL --task NAME[,NAME...]: tasks through the engine, or over --url through a server.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/threads.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/model_flags.h"
#include "cli/server_evaluation.h"
#include "cli/standard_streams.h"
#include "engine/generation_config.h"
#include "eval/prompt_preview.h"
#include "eval/run_identity.h"
#include "eval/task_engine.h"
#include "eval/task_run.h"
#include "io/file.h"
#include "model/model_folder.h"
#include "text/tokenizer_identity.h"
#include "train/trained_by.h"

namespace fathom {
namespace {

struct Options : ModelFlags {
  std::string tasks, data = ".", out, item;
  std::optional<int64_t> shots, samples, sequences;
  int64_t limit = 0, workers = 2;
  uint64_t seed = 1234;
  bool chat = false, resume = false, rescore = false, show_prompt = false, list = false, json = false;
  bool allow_weak = false, subjects = false, no_shared_prefixes = false;
  ServerFlags server;
};

TaskWithItems read_task(const Options& o, const std::string& name) {
  Task task = task_named(name);
  if (o.shots) {
    check(*o.shots == 0 || (!task.data.shots.empty() && task.form != TaskForm::text),
          "--shots: task {} has no file of examples", task.name);
    task.shots.count = *o.shots;
  }
  if (o.samples) {
    check(task.form == TaskForm::generate, "--samples: task {} generates no answers", task.name);
    task.generation.samples = *o.samples;
  }
  check(!o.chat || task.form != TaskForm::text, "--chat: task {} has documents, no questions", task.name);
  if (o.chat || task.chat) task = chat_form(std::move(task));
  return with_items(std::move(task), o.data, o.limit, o.seed);
}

std::vector<TaskWithItems> read_tasks(const Options& o) {
  check(!o.tasks.empty(), "--task is missing: the tasks' names, with commas between them; --list shows them");
  std::vector<std::string> names = comma_parts(o.tasks);
  for (const std::string& name : names) task_named(name);  // before anything is read
  std::vector<TaskWithItems> tasks;
  for (const std::string& name : names) tasks.push_back(read_task(o, name));
  return tasks;
}

// For the tasks in the chat form, where there are any. One that is always asked in it wants the model's own
// template; --chat takes DeepSeek-V2's too.
std::optional<ChatTemplate> chat_template(const Options& o, const std::vector<TaskWithItems>& tasks) {
  const auto asked = std::find_if(tasks.begin(), tasks.end(), [](const TaskWithItems& t) { return t.task.chat; });
  if (asked == tasks.end()) return std::nullopt;
  check(!o.model.empty(), "task {} needs a model folder, whose chat template it is asked with",
        asked->task.name);
  check(
      o.chat || ChatTemplate::in(o.model),
      "{}: has no chat template, and task {} is asked in the chat form; --chat takes DeepSeek-V2's template",
      o.model, asked->task.name);
  return ChatTemplate::load(o.model);
}

void list_tasks() {
  for (const std::string& name : task_names()) {
    const Task task = task_named(name);
    print_output("{:<24} {}, {} examples: {}\n", name,
                 task.form == TaskForm::choice     ? "choice"
                 : task.form == TaskForm::generate ? "generate"
                                                   : "text",
                 task.shots.count, task.description);
  }
}

OrderedJson model_identity(const Options& o, const EngineOptions& engine, const Model& model) {
  OrderedJson parts = {{"weights", weight_files_hash(o.model)},
                       {"tokenizer", tokenizer_identity(read_file(*tokenizer_file(o.model)), o.model)},
                       {"chat", o.chat},
                       {"type", name_of(model.dtype)},
                       {"device", o.device},
                       {"limit", o.limit},
                       {"seed", o.seed},
                       {"sequences", engine.max_sequences},
                       {"share_prefixes", engine.share_prefixes},
                       {"cache_tokens", engine.cache_tokens},
                       {"step_tokens", engine.token_budget}};
  if (!o.adapter.empty()) parts["adapter"] = weight_files_hash(o.adapter);
  return parts;
}

OrderedJson training_of(const std::string& folder) {
  const std::optional<TrainedBy> by = trained_by(folder);
  if (!by) return OrderedJson::object();
  return {{"step", by->step}, {"trained_tokens", by->tokens}, {"training_run", by->run}};
}

void print_results(const Options& o, const std::vector<TaskResult>& results) {
  OrderedJson json = OrderedJson::array();
  for (const TaskResult& r : results) {
    if (r.letter_probability >= 0 && r.letter_probability < low_letter_probability)
      log::warn("{}: the mean probability of the answer letters is {:.3f}, below {}", r.task,
                r.letter_probability, low_letter_probability);
    if (o.json)
      json.push_back(task_result_json(r));
    else
      print_output("{}", task_result_table(r, o.subjects));
  }
  if (o.json) print_output("{}\n", json.dump(1));
}

TaskRunSettings settings_of(const Options& o) {
  TaskRunSettings s;
  s.out = o.out, s.resume = o.resume, s.workers = static_cast<int>(o.workers), s.allow_weak = o.allow_weak;
  s.measurement.seed = o.seed;
  return s;
}

void rescore(const Options& o) {
  check(!o.out.empty(), "--rescore needs --out, the folder with the records");
  std::vector<TaskResult> results;
  for (const TaskWithItems& t : read_tasks(o))
    results.push_back(rescore_task(t.task, t.data, settings_of(o)));
  print_results(o, results);
}

void show_prompts(const Options& o) {
  const std::vector<TaskWithItems> tasks = read_tasks(o);
  const std::optional<ChatTemplate> chat = chat_template(o, tasks);
  for (const TaskWithItems& t : tasks)
    print_output("{}", prompt_preview(t.task, t.data, o.item, o.seed, t.task.chat ? &*chat : nullptr));
}

void evaluate_server(const Options& o) {
  const std::vector<TaskWithItems> tasks = read_tasks(o);
  std::vector<const Task*> all;
  for (const TaskWithItems& t : tasks) all.push_back(&t.task);
  const int64_t sequences = o.sequences.value_or(32);
  const bool chat = all[0]->chat;
  for (const Task* task : all)
    check(task->chat == chat, "{} is asked in conversations and {} is not: over --url this takes two runs",
          chat ? all[0]->name : task->name, chat ? task->name : all[0]->name);
  ServerEvaluation server(o.server, o, chat, sequences, all);
  TaskRunSettings settings = settings_of(o);
  settings.together = items_together(sequences);
  settings.threads = o.threads > 0 ? o.threads : hardware_threads();
  settings.identity = {{"chat", chat}, {"limit", o.limit}, {"seed", o.seed}};
  catch_interrupts();
  std::vector<TaskResult> results;
  for (const TaskWithItems& t : tasks) results.push_back(server.run(t.task, t.data, settings));
  print_results(o, results);
}

void evaluate(const Options& o) {
  check(!o.model.empty(), "a model folder is missing: fathom eval MODEL --task NAME, or --url and a server");
  const std::vector<TaskWithItems> tasks = read_tasks(o);
  const Tokenizer tokenizer = load_tokenizer(o);
  const std::optional<ChatTemplate> chat = chat_template(o, tasks);
  Device device = Device::named(o.device, o.threads);
  const Model model = load_model(o, device);
  const int64_t sequences = o.sequences.value_or(default_sequences(device));
  const EngineOptions options = task_engine(tasks, sequences, device, model, !o.no_shared_prefixes);
  Engine engine(device, model, &tokenizer, options);
  TaskRunSettings settings = settings_of(o);
  settings.threads = settings.measurement.threads = device.threads();
  settings.together = items_together(sequences);
  settings.measurement.eos_token_ids = read_generation_config(o.model, model.config).eos_token_ids;
  if (!o.out.empty()) {
    settings.identity = model_identity(o, options, model);
    settings.about = training_of(o.adapter.empty() ? o.model : o.adapter);
  }
  catch_interrupts();
  std::vector<TaskResult> results;
  for (const TaskWithItems& t : tasks)
    results.push_back(
        run_task({engine, tokenizer, t.task.chat ? &*chat : nullptr}, t.task, t.data, settings));
  print_results(o, results);
}

void run(const Options& o) {
  if (o.list) return list_tasks();
  if (o.show_prompt) return show_prompts(o);
  if (o.rescore) return rescore(o);
  if (!o.server.url.empty()) return evaluate_server(o);
  evaluate(o);
}

}  // namespace

void add_eval_tasks(CLI::App& eval) {
  auto o = std::make_shared<Options>();
  add_model_flags(eval, *o);
  eval.get_option("model")->required(false);
  eval.add_option("--task", o->tasks, "names of tasks or task files (.toml), with commas between them");
  eval.add_option("--data", o->data, "folder of the data sets' files, as upstream has them")
      ->capture_default_str();
  eval.add_option("--out", o->out, "folder for a record of every item, and the results");
  eval.add_flag("--resume", o->resume, "continue the run whose records are there");
  eval.add_flag("--rescore", o->rescore, "score the records in --out again, without a model");
  eval.add_flag("--list", o->list, "name the tasks");
  eval.add_flag("--show-prompt", o->show_prompt, "print what the model would be shown, without a model");
  eval.add_option("--item", o->item, "whose prompt is shown, by its id; the first by default");
  eval.add_flag("--chat", o->chat, "ask in conversations, through the model's chat template");
  add_number(eval, "--shots", o->shots, "examples before each item, instead of the task's",
             Allowed<int64_t>{.low = 0});
  add_number(eval, "--samples", o->samples, "answers to each item, instead of the task's",
             Allowed<int64_t>{.low = 1});
  add_number(eval, "--limit", o->limit, "items of each file at most; 0: all", {.low = 0});
  add_number(eval, "--seed", o->seed, "of random examples, samples and intervals");
  add_number(eval, "--sequences", o->sequences, "worked on at a time; by default 32, on a GPU 256",
             Allowed<int64_t>{.low = 1, .high = 1024});
  eval.add_flag(
      "--no-shared-prefixes", o->no_shared_prefixes,
      "compute every prompt whole, also where it begins like another: to measure what sharing is worth");
  add_server_flags(eval, o->server);
  add_number(eval, "--workers", o->workers, "programs in the sandbox at a time", {.low = 1, .high = 256});
  eval.add_flag("--allow-weak", o->allow_weak,
                "run generated code although the sandbox cannot enforce everything");
  eval.add_flag("--subjects", o->subjects, "print every subject");
  eval.add_flag("--json", o->json, "print JSON");
  eval.callback([&eval, o] {
    if (eval.get_subcommands().empty()) run(*o);
  });
}

}  // namespace fathom
