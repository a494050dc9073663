#include "http/completion_endpoint.h"

#include <utility>

#include "http/reply_parts.h"

namespace fathom {

CompletionEndpoint::CompletionEndpoint(const std::string& base, const std::string& where, std::string model)
    : model_(std::move(model)) {
  http_.target = route_of(base, "/completions", where);
}

CompletionReply CompletionEndpoint::ask(const CompletionRequest& request) const {
  Json body = {{"model", model_}, {"prompt", request.prompt}};
  add_sampling(body, request.sampling);
  if (request.echo) body["echo"] = true;
  // The number of further candidates for each place. Some endpoints take 0 for no log-probabilities at all.
  if (request.log_probs) body["logprobs"] = 1;
  return read_reply(post_with_retries(http_, json_line(body)), parse_completion_reply);
}

}  // namespace fathom
