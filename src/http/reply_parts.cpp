#include "http/reply_parts.h"

#include <algorithm>
#include <cctype>

namespace fathom {

const Json* member(const Json* json, const char* key) {
  if (!json || !json->is_object()) return nullptr;
  const auto found = json->find(key);
  return found == json->end() ? nullptr : &*found;
}

const Json* first_of(const Json* json) {
  return json && json->is_array() && !json->empty() ? &(*json)[0] : nullptr;
}

std::string text_of(const Json* json) {
  return json && json->is_string() ? json->get<std::string>() : "";
}

std::string explained_in(const std::string& body) {
  const std::optional<Json> json = parse_sent(body);
  if (!json) return "";
  const Json* error = member(&*json, "error");
  for (const Json* message :
       {member(error, "message"), error, member(&*json, "message"), member(&*json, "detail")})
    if (const std::string text = text_of(message); !text.empty()) return ": " + as_reason(text);
  // FastAPI's list of what was wrong with a request.
  const std::string first = text_of(member(first_of(member(&*json, "detail")), "msg"));
  return first.empty() ? "" : ": " + as_reason(first);
}

bool says_too_long(const HttpReply& reply) {
  if (reply.status != 400 && reply.status != 413 && reply.status != 422) return false;
  std::string words = reply.body;
  std::transform(words.begin(), words.end(), words.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  // OpenAI, vLLM, llama-cpp-python; vLLM; SGLang; llama.cpp; text-generation-inference.
  for (const char* phrase :
       {"context length", "context_length", "maximum model length", "context window", "context size",
        "context_size", "max_new_tokens` must be", "must have less than"})
    if (words.find(phrase) != std::string::npos) return true;
  return false;
}

}  // namespace fathom
