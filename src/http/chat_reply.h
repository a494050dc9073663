// What an OpenAI-compatible endpoint answers to a request for a chat completion.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

struct LikelyToken {
  std::string token;
  double log_prob;  // minus infinity where the endpoint wrote null
};

struct ChatReply {
  std::optional<std::string> text;           // none: it failed
  std::string finish;                        // "stop", "length", ...
  std::optional<int64_t> completion_tokens;  // by the endpoint's own count
  // The most likely tokens where the answer's first one stands. Empty: the endpoint gives no
  // log-probabilities.
  std::vector<LikelyToken> first;
  bool reached = true;    // false: there was no reply of status 200
  bool too_long = false;  // refused: more than the model's context
  std::string error;      // why there is no text: one short line
};

// Of a reply of status 200. Whatever is wrong with it is its error.
ChatReply parse_chat_reply(const std::string& body);

}  // namespace fathom
