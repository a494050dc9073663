// What both judged benchmarks are told: whose answers, which judge, where to.
#pragma once
#include <CLI/App.hpp>
#include <functional>
#include <optional>
#include <string>

#include "cli/endpoint_flags.h"
#include "cli/model_flags.h"
#include "http/chat_endpoint.h"
#include "judge/answers.h"
#include "judge/judging.h"

namespace fathom {

struct JudgeFlags : ModelFlags {
  std::string answers;  // a file; else of the model folder, or of the server
  EndpointFlags server, judge;
  std::string name;  // of the model in files; by default that of the folder or of the server
  int64_t max_tokens = 0, sequences = 16;
  uint64_t seed = 1;
  JudgeSettings judging;
  std::string out;
  bool json = false;
};

// The defaults of `flags` are the benchmark's.
void add_judge_flags(CLI::App& command, JudgeFlags& flags);

// Error, before anything is read, for answers from nowhere or from several places.
void check_answer_source(const JudgeFlags& flags);
// What the settings of a run say of the answers' source.
OrderedJson answer_settings(const JudgeFlags& flags);
// The name the model has in files.
std::string answering_model(const JudgeFlags& flags);
// Calls use(answer_all) with the model folder's engine, or with the server.
void with_answers(const JudgeFlags& flags, const std::function<void(const AnswerAll&)>& use);

// Error for a judge that is not named.
ChatEndpoint judge_endpoint(const JudgeFlags& flags);
OrderedJson judge_settings(const JudgeFlags& flags);

}  // namespace fathom
