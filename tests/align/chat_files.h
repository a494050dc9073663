// A tokenizer of bytes with a BOS and an EOS, chat templates, and small files of conversations.
#pragma once
#include <string>

#include "io/file.h"
#include "support/byte_tokenizer.h"
#include "support/temp_dir.h"
#include "text/chat_template.h"

namespace fathom::testing {

inline constexpr int32_t chat_bos = 257, chat_eos = 256;

inline Json chat_tokenizer_json() {
  Json tokenizer = byte_tokenizer_json();
  Json begin = tokenizer["added_tokens"][0];
  begin["id"] = chat_bos, begin["content"] = "<begin>";
  tokenizer["added_tokens"].push_back(begin);
  return tokenizer;
}
inline constexpr const char* chat_tokenizer_config = R"({"bos_token": "<begin>", "eos_token": "<end>"})";

inline Tokenizer chat_tokenizer() {
  return Tokenizer::parse(chat_tokenizer_json().dump(), "bytes", chat_tokenizer_config);
}
inline void write_chat_tokenizer(const std::string& folder) {
  write_file(folder + "/tokenizer.json", chat_tokenizer_json().dump());
  write_file(folder + "/tokenizer_config.json", chat_tokenizer_config);
}

inline ChatTemplate chat_template(std::string_view source = deepseek_v2_chat_template) {
  return {source, "t", "<begin>", "<end>"};
}

// "q0" -> "a0 a0", "q1" -> ..., as OpenAI messages, one a line; each answer is longer than the one before.
inline std::string conversations(int n, const std::string& word = "a") {
  std::string lines;
  for (int i = 0; i < n; ++i) {
    std::string answer;
    for (int k = 0; k <= i % 5; ++k) answer += (k ? " " : "") + word + std::to_string(i);
    const Json messages = {{{"role", "user"}, {"content", "q" + std::to_string(i)}},
                           {{"role", "assistant"}, {"content", answer}}};
    lines += Json{{"messages", messages}}.dump() + "\n";
  }
  return lines;
}

}  // namespace fathom::testing
