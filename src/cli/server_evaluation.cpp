#include "cli/server_evaluation.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "cli/flags.h"
#include "eval/measurement.h"
#include "eval/server_answerer.h"
#include "eval/server_proof.h"
#include "eval/text_measurement.h"
#include "http/served_models.h"
#include "io/file.h"
#include "model/config.h"
#include "model/model_folder.h"
#include "text/tokenizer_identity.h"

namespace fathom {
namespace {

bool needs_log_probs(const Task* task) {
  return task->form != TaskForm::generate;
}

std::string names_of(const std::vector<const Task*>& tasks, bool scored) {
  std::vector<std::string> names;
  for (const Task* task : tasks)
    if (needs_log_probs(task) == scored) names.push_back(task->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

void add_server_flags(CLI::App& command, ServerFlags& f) {
  command.add_option(
      "--url", f.url,
      "an OpenAI-compatible server that is asked in place of the model folder: https://HOST/v1");
  command.add_option("--served-model", f.model, "the name of the model on that server, where it has several");
  add_endpoint_limits(command, f, "--url-", "that server");
  add_number(command, "--context", f.context,
             "tokens of prompt and answer that the server takes, where it does not say",
             Allowed<int64_t>{.low = 2});
}

ServerEvaluation::ServerEvaluation(const ServerFlags& flags, const ModelFlags& folder, bool chat,
                                   int64_t parallel, const std::vector<const Task*>& tasks)
    : http_(http_of(flags, "--url-")), chat_(chat) {
  if (folder.model.empty()) {
    for (const Task* task : tasks) TextMeasurement::check_task(*task, chat);
  } else {
    tokenizer_ = load_tokenizer(folder);
    if (chat) template_ = ChatTemplate::load(text_folder(folder));
  }
  learn_names(flags);
  server_ = std::make_unique<ModelServer>(flags.url, name_, http_, parallel, context_of(flags, folder));
  identity_ = {{"served_model", name_}, {"server", facts_}, {"prompts", tokenizer_ ? "ids" : "texts"}};
  if (tokenizer_) {
    const std::string texts = text_folder(folder);
    identity_["tokenizer"] = tokenizer_identity(read_file(*tokenizer_file(texts)), texts);
    identity_["context"] = server_->context();
  }
  if (std::any_of(tasks.begin(), tasks.end(), needs_log_probs)) prove(tasks);
  if (!std::all_of(tasks.begin(), tasks.end(), needs_log_probs)) learn_sampling();
}

void ServerEvaluation::learn_sampling() {
  sampling_ = server_->set_sampling_in_full(chat_ && !tokenizer_) ? "in full" : "by the server's defaults";
}

void ServerEvaluation::learn_names(const ServerFlags& flags) {
  name_ = flags.model;
  const std::optional<std::vector<ServedModel>> models = ask_served_models(http_, flags.url);
  std::vector<std::string> names;
  if (models)
    for (const ServedModel& model : *models) names.push_back(model.name);
  if (name_.empty()) {
    check(!names.empty(), "--served-model is needed: {} does not say what it serves", flags.url);
    check(names.size() == 1, "--served-model is needed: {} serves {}", flags.url, fmt::join(names, ", "));
    name_ = names[0];
  }
  if (!models) return;
  const auto own = std::find_if(models->begin(), models->end(),
                                [this](const ServedModel& model) { return model.name == name_; });
  if (own != models->end()) facts_ = own->facts, context_ = own->context;
}

int64_t ServerEvaluation::context_of(const ServerFlags& flags, const ModelFlags& folder) const {
  if (flags.context) return *flags.context;
  if (context_) return *context_;
  if (!folder.model.empty()) return read_config(folder.model).max_position_embeddings;
  return std::numeric_limits<int64_t>::max();  // the server refuses what is too long
}

void ServerEvaluation::prove(const std::vector<const Task*>& tasks) {
  const ServerProof proof = prove_log_probs(*server_, tokenizer_ ? &*tokenizer_ : nullptr);
  const std::string others = names_of(tasks, false);
  check(proof.problem.empty(),
        "{} does not give the log-probabilities of a prompt's tokens, which {} needs (completions with echo "
        "and "
        "logprobs): {}; {} can be run",
        server_->base(), names_of(tasks, true), proof.problem,
        others.empty() ? "tasks that generate answers (--list)" : others);
  beginning_ = proof.beginning.value_or("");
}

TaskResult ServerEvaluation::run(const Task& task, const TaskItems& data, TaskRunSettings settings) {
  OrderedJson identity = identity_;
  if (!tokenizer_ && needs_log_probs(&task)) identity["beginning"] = beginning_;
  if (!needs_log_probs(&task)) identity["sampling"] = sampling_;
  identity.update(settings.identity);
  settings.identity = std::move(identity);
  if (!tokenizer_) {
    TextMeasurement measurement(*server_, task, chat_, settings.measurement);
    return run_task(measurement, task, data, settings);
  }
  ServerAnswerer answerer(*server_);
  Measurement measurement(answerer, *tokenizer_, task, template_ ? &*template_ : nullptr,
                          settings.measurement);
  return run_task(measurement, task, data, settings);
}

}  // namespace fathom
