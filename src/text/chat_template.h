// The chat template of a model: messages become the text, and the ids, that the model was trained on.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/json.h"
#include "text/jinja.h"
#include "text/tokenizer.h"

namespace fathom {

struct ChatOptions {
  bool add_generation_prompt = false;  // what an answer of the assistant begins with, at the end
  Json variables = Json::object();     // more of them, such as tools
};

class ChatTemplate {
 public:
  // That of a model folder: chat_template.jinja, or chat_template in its tokenizer_config.json (of several
  // the one named "default"); DeepSeek-V2's own where it has none. Error for a template that is not
  // understood.
  static ChatTemplate load(const std::string& folder);
  // Whether the folder has one of its own.
  static bool in(const std::string& folder);
  // That of a Jinja file, with the special tokens of a folder.
  static ChatTemplate load(const std::string& folder, const std::string& file);
  ChatTemplate(std::string_view source, const std::string& name, std::string bos, std::string eos);

  // The text of messages, a list of objects with a role and content (OpenAI's form). Its `data` says which
  // bytes came from the messages.
  jinja::Text render(const Json& messages, const ChatOptions& options = {}) const;
  // Its ids. Special tokens come from the template alone: what a message has of their spelling is ordinary
  // text. The template's BOS is the only one.
  std::vector<int32_t> encode(const Tokenizer& tokenizer, const Json& messages,
                              const ChatOptions& options = {}) const;
  // What the template writes before an assistant's words and not behind a prompt for them: a blank in
  // DeepSeek-V2, where a model begins its answer with it.
  std::string answer_lead() const;

 private:
  jinja::Template template_;
  std::string bos_, eos_;
};

// DeepSeek-V2's chat template.
extern const std::string_view deepseek_v2_chat_template;

// The ids of a text in which special tokens count only where the template wrote them.
std::vector<int32_t> encode_marked(const Tokenizer& tokenizer, const jinja::Text& text);

}  // namespace fathom
