#include "eval/server_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eval/echo.h"
#include "eval/seam.h"
#include "text/chat_template.h"
#include "text/utf8.h"

namespace fathom {
namespace {

const std::string probe = "One, two, three, four, five, six, seven.\nMonday, Tuesday, Wednesday,";
// By which the same value may differ from one batch to another, in bfloat16 or less.
constexpr double noise = 0.25;
constexpr int64_t generated = 8;

class Proof {
 public:
  Proof(const ModelServer& server, const Tokenizer* tokenizer) : server_(server), tokenizer_(tokenizer) {
    if (tokenizer) encoder_.emplace(*tokenizer, true);
  }

  ServerProof run() {
    const Echo first = echo(probe);
    if (!proof_.problem.empty()) return proof_;
    if (!tokenizer_ && first.has_beginning()) proof_.beginning = first.tokens[0].text;
    check_not_constant(first);
    const CompletionReply more =
        server_.complete({.prompt = prompt(probe),
                          .log_probs = true,
                          .sampling = {.temperature = 1, .max_tokens = generated, .seed = 2}});
    const bool said = more.text && !more.text->empty();
    const Echo second = echo(probe + (said ? *more.text : " Thursday"));
    if (!proof_.problem.empty()) return proof_;
    check_past(first, second);
    if (said && common_tokens(first, second) == first.tokens.size())
      check_generated(second, first.tokens.size(), more.tokens);
    return proof_;
  }

 private:
  Json prompt(const std::string& text) const {
    return tokenizer_ ? Json(encoder_->prompt(jinja::Text(text, true))) : Json(text);
  }

  Echo echo(const std::string& text) {
    const Json sent = prompt(text);
    const CompletionReply reply = server_.complete({.prompt = sent, .echo = true, .log_probs = true});
    Echo echo = tokenizer_ ? read_echo(reply, sent.size()) : read_echo(reply, text);
    if (tokenizer_ && echo.problem.empty()) check_spelling(echo, text);
    if (proof_.problem.empty()) proof_.problem = echo.problem;
    return echo;
  }

  // Of ids: that they are the same tokens there.
  void check_spelling(const Echo& echo, const std::string& text) {
    std::vector<std::string_view> texts;
    for (size_t i = encoder_->beginning().size(); i < echo.tokens.size(); ++i)
      texts.push_back(echo.tokens[i].text);
    if (place_tokens(texts, text)) return;
    std::string spelled;
    for (const SpelledToken& token : echo.tokens) spelled += token.text;
    proof_.problem = fmt::format(
        "the server spells the ids of this folder's tokenizer '{}', so its tokenizer is another", spelled);
  }

  void check_not_constant(const Echo& echo) {
    double low = 0, high = -1e300;
    for (size_t i = 1; i < echo.tokens.size(); ++i)
      low = std::min(low, *echo.tokens[i].log_prob), high = std::max(high, *echo.tokens[i].log_prob);
    if (high - low < 1e-6)
      proof_.problem = fmt::format("every token of the prompt has the log-probability {}", low);
  }

  void check_past(const Echo& first, const Echo& second) {
    const size_t same = common_tokens(first, second);
    for (size_t i = 1; i < same && proof_.problem.empty(); ++i)
      if (const double a = *first.tokens[i].log_prob, b = *second.tokens[i].log_prob; std::abs(a - b) > noise)
        proof_.problem = fmt::format(
            "the log-probability of token {} of a prompt is {} or {}, by what stands behind it", i + 1, a, b);
  }

  // Against what the server said of the same tokens when it generated them, as far as they are the same.
  void check_generated(const Echo& echo, size_t begin, const std::vector<SpelledToken>& said) {
    double sum = 0;
    size_t n = 0;
    for (; begin + n < echo.tokens.size() && n < said.size(); ++n) {
      const std::string& text = said[n].text;
      // What is no character was sent as another one.
      if (text.empty() || text.find(replacement_character) != std::string::npos) break;
      if (echo.tokens[begin + n].text != text || !said[n].log_prob) break;
      sum += std::abs(*echo.tokens[begin + n].log_prob - *said[n].log_prob);
    }
    if (n > 0 && sum / static_cast<double>(n) > noise)
      proof_.problem = fmt::format(
          "the log-probabilities of tokens in a prompt are not those that the server names when it generates "
          "them: they differ by {:.2f} in the mean over {} tokens",
          sum / static_cast<double>(n), n);
  }

  const ModelServer& server_;
  const Tokenizer* tokenizer_;
  std::optional<SeamEncoder> encoder_;
  ServerProof proof_;
};

}  // namespace

ServerProof prove_log_probs(const ModelServer& server, const Tokenizer* tokenizer) {
  return Proof(server, tokenizer).run();
}

}  // namespace fathom
