#include "eval/echo.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/sent_json.h"

namespace fathom {
namespace {

constexpr double rounding = 1e-3;  // by which a certain token may be above 0

Echo wrong(std::string problem) {
  Echo echo;
  echo.problem = std::move(problem);
  return echo;
}

// How many of the reply's tokens may be the prompt's, the likeliest number first: some generate more than
// one, to complete a character, and some do not list what they generated.
std::vector<size_t> candidates(const CompletionReply& reply) {
  const size_t all = reply.tokens.size();
  const auto generated = static_cast<size_t>(reply.completion_tokens.value_or(1));
  if (generated == 0 || generated > all) return {all};
  return {all - generated, all};
}

std::string problem_of_values(const std::vector<SpelledToken>& tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::optional<double> value = tokens[i].log_prob;
    const std::string which =
        fmt::format("token {} of {} of the prompt, '{}',", i + 1, tokens.size(), as_reason(tokens[i].text));
    if (i > 0 && !value) return which + " has no log-probability";
    if (value && *value > rounding)
      return fmt::format("{} has the log-probability {}, above 0", which, *value);
  }
  return "";
}

Echo checked(const CompletionReply& reply, size_t count, std::vector<TokenPlace> places) {
  Echo echo{
      {reply.tokens.begin(), reply.tokens.begin() + static_cast<ptrdiff_t>(count)}, std::move(places), ""};
  echo.problem = problem_of_values(echo.tokens);
  return echo;
}

std::string problem_of(const CompletionReply& reply) {
  if (!reply.text) return reply.error;
  return reply.tokens.empty() ? "the reply has no log-probabilities" : "";
}

}  // namespace

Echo read_echo(const CompletionReply& reply, std::string_view sent) {
  if (std::string problem = problem_of(reply); !problem.empty()) return wrong(std::move(problem));
  std::vector<std::string_view> texts;
  for (const SpelledToken& token : reply.tokens) texts.push_back(token.text);
  for (const size_t count : candidates(reply))
    if (auto places = place_tokens({texts.begin(), texts.begin() + static_cast<ptrdiff_t>(count)}, sent))
      return checked(reply, count, std::move(*places));
  std::string spelled;
  for (const std::string_view text : texts) spelled += text;
  return wrong(fmt::format("the {} tokens of the reply do not spell the prompt, but '{}'", texts.size(),
                           as_reason(spelled)));
}

Echo read_echo(const CompletionReply& reply, size_t count) {
  if (std::string problem = problem_of(reply); !problem.empty()) return wrong(std::move(problem));
  const size_t got = reply.tokens.size();
  const auto by_its_count = reply.prompt_tokens.value_or(static_cast<int64_t>(count));
  const std::vector<size_t> possible = candidates(reply);
  if (std::find(possible.begin(), possible.end(), count) == possible.end() ||
      by_its_count != static_cast<int64_t>(count))
    return wrong(fmt::format(
        "the prompt has {} tokens, and the reply log-probabilities of {}{}", count, got,
        reply.prompt_tokens ? fmt::format("; the server counts {} in the prompt", by_its_count) : ""));
  return checked(reply, count, {});
}

size_t cut_of(const Echo& echo, size_t prompt) {
  size_t cut = echo.has_beginning() ? 1 : 0;
  for (size_t i = 0; i < echo.places.size(); ++i)
    if (const TokenPlace& place = echo.places[i]; place.begin < place.end && place.end <= prompt) cut = i + 1;
  return cut;
}

bool crosses(const Echo& echo, size_t prompt) {
  return std::any_of(echo.places.begin(), echo.places.end(),
                     [prompt](const TokenPlace& p) { return p.begin < prompt && prompt < p.end; });
}

size_t common_tokens(const Echo& a, const Echo& b) {
  size_t n = 0;
  while (n < a.tokens.size() && n < b.tokens.size() && a.tokens[n].text == b.tokens[n].text) ++n;
  return n;
}

}  // namespace fathom
