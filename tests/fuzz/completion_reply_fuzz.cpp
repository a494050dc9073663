// What a server may answer to a prompt that it is to echo, the prompt on the first line: read, or a reason in
// one line; of what counts as read, every token stands in the prompt, one after another, with its
// log-probability.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "eval/echo.h"
#include "http/completion_reply.h"
#include "http/reply_parts.h"
#include "http/served_models.h"

namespace {

void judge(const fathom::Echo& echo) {
  if (!echo.problem.empty()) {
    if (echo.problem.find('\n') != std::string::npos) std::abort();
    return;
  }
  for (size_t i = 1; i < echo.tokens.size(); ++i)
    if (!echo.tokens[i].log_prob || !std::isfinite(*echo.tokens[i].log_prob)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  const std::string sent = text.substr(0, line);
  const std::string body = line == std::string::npos ? "" : text.substr(line + 1);
  parse_served_models(body);
  says_too_long({400, body, ""});
  const CompletionReply reply = parse_completion_reply(body);
  if (reply.text.has_value() != reply.error.empty() || reply.error.find('\n') != std::string::npos)
    std::abort();
  const Echo echo = read_echo(reply, sent);
  judge(echo);
  judge(read_echo(reply, sent.size()));
  if (!echo.problem.empty()) return 0;
  size_t end = 0;
  for (const TokenPlace& place : echo.places) {
    if (place.begin != end || place.end < place.begin) std::abort();
    end = place.end;
  }
  if (end != sent.size() || cut_of(echo, sent.size() / 2) > echo.tokens.size()) std::abort();
  return 0;
}
