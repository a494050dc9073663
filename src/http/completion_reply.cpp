#include "http/completion_reply.h"

#include <fmt/format.h>

#include <cmath>

#include "http/reply_parts.h"

namespace fathom {
namespace {

CompletionReply failed(const std::string& reason) {
  CompletionReply reply;
  reply.error = reason;
  return reply;
}

std::optional<double> finite(const Json* json) {
  if (!json || !json->is_number()) return {};
  const double value = json->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<int64_t> count_of(const Json* json) {
  if (!json || !json->is_number_integer()) return {};
  const auto value = json->get<int64_t>();
  return value >= 0 ? std::optional(value) : std::nullopt;
}

// "tokens" and "token_logprobs" of equal length; or, as llama.cpp's server has it, "content" as in chat
// completions. What is wrong, if anything.
std::string read_tokens(const Json* log_probs, std::vector<SpelledToken>& tokens) {
  if (const Json* content = member(log_probs, "content"); content && content->is_array()) {
    for (const Json& token : *content)
      tokens.push_back({text_of(member(&token, "token")), finite(member(&token, "logprob"))});
    return "";
  }
  const Json *texts = member(log_probs, "tokens"), *values = member(log_probs, "token_logprobs");
  if (!texts && !values) return "";
  if (!texts || !values || !texts->is_array() || !values->is_array())
    return "the reply's 'logprobs' has no lists 'tokens' and 'token_logprobs'";
  if (texts->size() != values->size())
    return fmt::format("the reply has {} tokens and {} log-probabilities", texts->size(), values->size());
  for (size_t i = 0; i < texts->size(); ++i) {
    if (!(*texts)[i].is_string()) return fmt::format("token {} of the reply is no text", i);
    tokens.push_back({(*texts)[i].get<std::string>(), finite(&(*values)[i])});
  }
  return "";
}

}  // namespace

CompletionReply parse_completion_reply(const std::string& body) {
  const std::optional<Json> json = parse_sent(body);
  if (!json) return failed("the reply is not valid JSON");
  const Json* choice = first_of(member(&*json, "choices"));
  if (!choice) return failed("the reply has no 'choices'" + explained_in(body));
  const Json* text = member(choice, "text");
  if (!text || !text->is_string()) return failed("the reply's choice has no 'text'");
  CompletionReply reply;
  if (const std::string wrong = read_tokens(member(choice, "logprobs"), reply.tokens); !wrong.empty())
    return failed(wrong);
  reply.text = text->get<std::string>();
  reply.finish = text_of(member(choice, "finish_reason"));
  const Json* usage = member(&*json, "usage");
  reply.prompt_tokens = count_of(member(usage, "prompt_tokens"));
  reply.completion_tokens = count_of(member(usage, "completion_tokens"));
  return reply;
}

}  // namespace fathom
