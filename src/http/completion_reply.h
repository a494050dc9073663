// What an OpenAI-compatible endpoint answers to a request for a completion (/v1/completions).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

// As the server spells it: part of a character may be "", U+FFFD or "bytes:\xe4".
struct SpelledToken {
  std::string text;
  std::optional<double> log_prob;  // none: null, or not finite
};

struct CompletionReply {
  std::optional<std::string> text;  // none: it failed
  std::string finish;               // "stop", "length", ...
  // Those of the prompt where it was echoed, then those that were generated. Empty: the endpoint gives no
  // log-probabilities.
  std::vector<SpelledToken> tokens;
  std::optional<int64_t> prompt_tokens, completion_tokens;  // by the endpoint's own count
  bool reached = true;                                      // false: there was no reply of status 200
  bool too_long = false;                                    // refused: more than the model's context
  std::string error;                                        // why there is no text: one short line
};

// Of a reply of status 200. Whatever is wrong with it is its error.
CompletionReply parse_completion_reply(const std::string& body);

}  // namespace fathom
