#include "text/chat_template.h"

#include <filesystem>

#include "base/error.h"
#include "io/file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// "bos_token" and the like: a string, or an object with the string as its content; nothing where it is
// absent.
std::string token_text(const JsonObject& config, const std::string& key) {
  if (!config.has(key)) return "";
  const Json& value = config.json()[key];
  return value.is_object() ? config.child(key).required<std::string>("content")
                           : config.required<std::string>(key);
}

// A folder's tokenizer_config.json, empty where there is none.
struct TokenizerConfig {
  std::string name;
  Json json;

  explicit TokenizerConfig(const std::string& folder)
      : name((fs::path(folder) / "tokenizer_config.json").string()),
        json(fs::exists(name) ? read_json(name) : Json::object()) {}
  JsonObject object() const { return {json, name}; }
  ChatTemplate with_template(std::string_view source, const std::string& where) const {
    return {source, where, token_text(object(), "bos_token"), token_text(object(), "eos_token")};
  }
};

// The template of a tokenizer_config.json, a string or a list of {name, template}; empty where it has none.
std::string template_of(const JsonObject& config) {
  if (!config.has("chat_template")) return "";
  const Json& value = config.json()["chat_template"];
  if (!value.is_array()) return config.required<std::string>("chat_template");
  std::string names;
  for (const Json& entry : value) {
    const JsonObject one(entry, config.where() + ": chat_template");
    const auto name = one.required<std::string>("name");
    if (name == "default") return one.required<std::string>("template");
    names += (names.empty() ? "" : ", ") + name;
  }
  fail("{}: field 'chat_template' has no template named 'default', only {}", config.where(), names);
}

}  // namespace

// The paper's model card: BOS, a system message and a blank line, then turns; no blank after the last colon.
const std::string_view deepseek_v2_chat_template =
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\\n\\n' }}"
    "{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
    "{% else %}{{ raise_exception('the role ' ~ message['role'] ~ ' is none of system, user and assistant') "
    "}}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";

ChatTemplate::ChatTemplate(std::string_view source, const std::string& name, std::string bos, std::string eos)
    : template_(source, name), bos_(std::move(bos)), eos_(std::move(eos)) {}

ChatTemplate ChatTemplate::load(const std::string& folder) {
  const std::string file = (fs::path(folder) / "chat_template.jinja").string();
  if (fs::exists(file)) return load(folder, file);
  const TokenizerConfig config(folder);
  const std::string source = template_of(config.object());
  const bool own = !source.empty();
  return config.with_template(own ? source : deepseek_v2_chat_template,
                              own ? config.name + ": chat_template" : "DeepSeek-V2's chat template");
}

bool ChatTemplate::in(const std::string& folder) {
  return fs::exists(fs::path(folder) / "chat_template.jinja") ||
         !template_of(TokenizerConfig(folder).object()).empty();
}

ChatTemplate ChatTemplate::load(const std::string& folder, const std::string& file) {
  return TokenizerConfig(folder).with_template(read_file(file), file);
}

jinja::Text ChatTemplate::render(const Json& messages, const ChatOptions& options) const {
  jinja::Dict variables;
  for (const auto& [key, value] : options.variables.items())
    variables.emplace_back(key, jinja::Value::from_json(value));
  jinja::set(variables, "messages", jinja::Value::from_json(messages));
  jinja::set(variables, "add_generation_prompt", options.add_generation_prompt);
  jinja::set(variables, "bos_token", jinja::Text(bos_, false));
  jinja::set(variables, "eos_token", jinja::Text(eos_, false));
  return template_.render(std::move(variables));
}

std::vector<int32_t> ChatTemplate::encode(const Tokenizer& tokenizer, const Json& messages,
                                          const ChatOptions& options) const {
  return encode_marked(tokenizer, render(messages, options));
}

std::string ChatTemplate::answer_lead() const {
  const std::string answer = "answer";
  Json messages = Json::array({{{"role", "user"}, {"content", "question"}}});
  const std::string prompt =
      render(messages, {.add_generation_prompt = true, .variables = Json::object()}).bytes;
  messages.push_back({{"role", "assistant"}, {"content", answer}});
  const std::string whole = render(messages).bytes;
  const size_t at = whole.find(answer, std::min(prompt.size(), whole.size()));
  return whole.starts_with(prompt) && at != std::string::npos
             ? whole.substr(prompt.size(), at - prompt.size())
             : "";
}

std::vector<int32_t> encode_marked(const Tokenizer& tokenizer, const jinja::Text& text) {
  std::vector<TextRun> runs;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.data.find_first_not_of(text.data[at], at), text.size());
    runs.push_back({std::string_view(text.bytes).substr(at, end - at), text.data[at] == 0});
    at = end;
  }
  return tokenizer.encode(runs);
}

}  // namespace fathom
