#include "cli/judge_flags.h"

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/model_argument.h"
#include "engine/prompt_chunk.h"
#include "judge/judge_folder.h"

namespace fathom {
namespace {

ChatEndpoint endpoint_of(const EndpointFlags& f, const std::string& prefix, const std::string& url_flag) {
  ChatEndpoint endpoint(f.url, url_flag, f.model);
  HttpTarget target = std::move(endpoint.http().target);
  endpoint.http() = http_of(f, prefix);
  endpoint.http().target = std::move(target);
  return endpoint;
}

void answer_by_engine(const JudgeFlags& f, const std::function<void(const AnswerAll&)>& use) {
  const Tokenizer tokenizer = load_tokenizer(f);
  Device device = Device::named(f.device, f.threads);
  const Model model = load_model(f, device);
  const int64_t longest = model.config.max_position_embeddings,
                room = std::min<int64_t>(longest, 4096 + f.max_tokens);
  EngineOptions options = EngineOptions::for_sequences(f.sequences, room);
  options.token_budget = prompt_chunk(device, model, options, room);
  Engine engine(device, model, &tokenizer, options);
  const ChatTemplate chat = ChatTemplate::load(f.model);
  use(answers_of_engine({engine, tokenizer, chat, read_generation_config(f.model, model.config)}));
}

}  // namespace

void add_judge_flags(CLI::App& command, JudgeFlags& f) {
  add_model_flags(command, f);
  CLI::Option* model = command.get_option("model")->required(false);
  CLI::Option* answers =
      command.add_option("--answers", f.answers, "the model's answers, a file in upstream's form");
  CLI::Option* url =
      command.add_option("--url", f.server.url, "an OpenAI-compatible server that answers: https://HOST/v1");
  answers->excludes(model)->excludes(url);
  url->excludes(model);
  command.add_option("--url-model", f.server.model, "the name of the model on that server")->needs(url);
  add_endpoint_limits(command, f.server, "--url-", "that server");
  command.add_option("--name", f.name,
                     "of the model in tables and files; by default that of its folder, or on the server");
  add_number(command, "-n,--max-tokens", f.max_tokens, "tokens of an answer at most",
             Allowed<int64_t>{.low = 1});
  add_number(command, "--seed", f.seed, "of the model's sampled answers, and of what else is drawn");
  add_number(command, "--sequences", f.sequences, "answers of a model folder worked on at a time",
             Allowed<int64_t>{.low = 1, .high = 1024});
  command.add_option("--judge-url", f.judge.url, "the judge, an OpenAI-compatible server: https://HOST/v1");
  command.add_option("--judge", f.judge.model, "the name of the judging model on its server");
  add_endpoint_limits(command, f.judge, "--judge-", "the judge");
  add_number(command, "--judge-temperature", f.judging.temperature, "of the judge",
             Allowed<double>{.low = 0});
  add_number(command, "--judge-tokens", f.judging.max_tokens, "tokens of a judgement at most",
             Allowed<int64_t>{.low = 1});
  add_number(command, "--attempts", f.judging.attempts, "for a judgement that can be read",
             Allowed<int64_t>{.low = 1, .high = 100});
  add_number(command, "--parallel", f.judging.parallel, "requests at a time",
             Allowed<int64_t>{.low = 1, .high = 256});
  command.add_option("--out", f.out,
                     "folder of the run: answers, every judgement, scores; the same command goes on there");
  command.add_flag("--json", f.json, "print JSON");
}

void check_answer_source(const JudgeFlags& f) {
  const int sources = !f.model.empty() + !f.answers.empty() + !f.server.url.empty();
  check(sources == 1,
        "answers come from a model folder, from --answers or from --url: one of them is needed");
  check(f.server.url.empty() || !f.server.model.empty(), "--url needs --url-model");
  check(!f.out.empty(), "--out is needed: the folder of the run");
  check(!f.judge.url.empty(), "--judge-url is needed: the judge's server");
  check(!f.judge.model.empty(), "--judge is needed: the name of the judging model on its server");
}

std::string answering_model(const JudgeFlags& f) {
  if (!f.name.empty()) return f.name;
  if (!f.server.url.empty()) return f.server.model;
  return std::filesystem::weakly_canonical(f.model).filename().string();
}

OrderedJson answer_settings(const JudgeFlags& f) {
  if (!f.answers.empty()) return {{"answers", hash_of_file(f.answers)}, {"name", f.name}};
  OrderedJson settings = {{"name", answering_model(f)}, {"max_tokens", f.max_tokens}, {"seed", f.seed}};
  if (!f.server.url.empty()) {
    settings["model_on_server"] = f.server.model;
    return settings;
  }
  check_model_folder(f.model);
  settings["model"] = hash_of_folder(f.model);
  if (!f.adapter.empty()) settings["adapter"] = hash_of_folder(f.adapter);
  settings["dtype"] = f.dtype;
  return settings;
}

void with_answers(const JudgeFlags& f, const std::function<void(const AnswerAll&)>& use) {
  if (f.server.url.empty()) return answer_by_engine(f, use);
  ChatEndpoint server = endpoint_of(f.server, "--url-", "--url");
  use(answers_of_endpoint(server, f.judging.parallel));
}

ChatEndpoint judge_endpoint(const JudgeFlags& f) {
  return endpoint_of(f.judge, "--judge-", "--judge-url");
}

OrderedJson judge_settings(const JudgeFlags& f) {
  return {{"judge", f.judge.model},
          {"judge_temperature", f.judging.temperature},
          {"judge_tokens", f.judging.max_tokens},
          {"top_log_probs", f.judging.top_log_probs}};
}

}  // namespace fathom
