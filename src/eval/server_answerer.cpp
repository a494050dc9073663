#include "eval/server_answerer.h"

#include "base/error.h"
#include "eval/echo.h"
#include "eval/served_sample.h"

namespace fathom {
namespace {

AnsweredRequest failed(std::string error) {
  return {{}, {}, std::move(error)};
}

std::string refusal(const CompletionReply& reply) {
  return reply.error + (reply.too_long ? "; --context tells the longest context" : "");
}

}  // namespace

void ServerAnswerer::answer(std::vector<Request> requests,
                            const std::function<void(size_t, AnsweredRequest&&)>& take,
                            const std::function<void()>& idle) {
  server_.ask_each(
      requests.size(), [&](size_t i) { return answer_one(requests[i]); }, take, idle);
}

AnsweredRequest ServerAnswerer::answer_one(const Request& request) const {
  if (request.scoring) return score(request);
  const int64_t room = server_.context() - std::ssize(request.prompt);
  const int64_t most = std::min(request.stop.max_tokens, room);
  const CompletionReply reply = server_.complete(
      {.prompt = request.prompt, .sampling = sent_sampling(request.sampling, most, request.stop.strings)});
  if (!reply.text) return failed(refusal(reply));
  MeasuredSample sample =
      served_sample(*reply.text, reply.finish, reply.completion_tokens, request.stop.strings);
  if (sample.finish == FinishReason::length && most < request.stop.max_tokens)
    sample.finish = FinishReason::context;
  return {{}, std::move(sample), ""};
}

// One completion for each token of `next`; the prompt's own values are the first one's.
AnsweredRequest ServerAnswerer::score(const Request& request) const {
  AnsweredRequest answered;
  const auto first = static_cast<size_t>(request.scoring->first);
  for (const int32_t next : request.scoring->next) {
    std::vector<int32_t> ids = request.prompt;
    ids.push_back(next);
    const CompletionReply reply = server_.complete({.prompt = ids, .echo = true, .log_probs = true});
    if (!reply.text) return failed(refusal(reply));
    const Echo echo = read_echo(reply, ids.size());
    if (!echo.problem.empty()) return failed(echo.problem);
    for (size_t i = answered.scores.empty() ? first : ids.size() - 1; i < ids.size(); ++i)
      answered.scores.push_back(*echo.tokens[i].log_prob);
  }
  return answered;
}

}  // namespace fathom
