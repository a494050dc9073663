// fathom eval --url: a model behind an OpenAI-compatible server, in place of one of this process.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/endpoint_flags.h"
#include "cli/model_flags.h"
#include "eval/model_server.h"
#include "eval/task_run.h"

namespace fathom {

struct ServerFlags : EndpointFlags {
  std::optional<int64_t> context;
};

void add_server_flags(CLI::App& command, ServerFlags& flags);

class ServerEvaluation {
 public:
  // Asks the server what it serves, and, where a task needs it, has it prove that it tells the
  // log-probabilities of prompts: Error before any item is asked. With a model folder prompts are its
  // tokenizer's ids, and `chat` is by its template; without they are texts, and chat is the server's.
  ServerEvaluation(const ServerFlags& flags, const ModelFlags& folder, bool chat, int64_t parallel,
                   const std::vector<const Task*>& tasks);

  // `settings.identity` has what does not depend on the model.
  TaskResult run(const Task& task, const TaskItems& data, TaskRunSettings settings);

 private:
  void learn_names(const ServerFlags& flags);
  int64_t context_of(const ServerFlags& flags, const ModelFlags& folder) const;
  void prove(const std::vector<const Task*>& tasks);
  void learn_sampling();

  HttpEndpoint http_;
  bool chat_;
  std::string name_;  // of the model on the server
  OrderedJson facts_ = OrderedJson::object();
  std::optional<int64_t> context_;  // that the server names
  std::optional<Tokenizer> tokenizer_;
  std::optional<ChatTemplate> template_;
  OrderedJson identity_;
  std::string beginning_, sampling_;
  std::unique_ptr<ModelServer> server_;
};

}  // namespace fathom
