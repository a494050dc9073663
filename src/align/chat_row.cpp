#include "align/chat_row.h"

#include <cmath>
#include <map>

#include "base/error.h"

namespace fathom {
namespace {

Json message(const std::string& role, std::string content) {
  return {{"role", role}, {"content", std::move(content)}};
}

// A text, nothing, or a list of parts that are texts.
std::string content_text(const JsonObject& m) {
  if (!m.has("content")) {
    check(m.has("tool_calls"), "{}: a message has neither content nor tool_calls", m.where());
    return "";
  }
  const Json& content = m.json()["content"];
  if (!content.is_array()) return m.required<std::string>("content");
  std::string text;
  for (const Json& part : content) {
    const JsonObject p(part, m.where());
    const auto type = p.required<std::string>("type");
    check(type == "text", "{}: content of type '{}', where only text can be learned from", m.where(), type);
    text += p.required<std::string>(p.has("text") ? "text" : "value");
  }
  return text;
}

// A list as it is, or as the text of one, which is how ShareGPT has it.
Json tools_of(const JsonObject& row) {
  if (!row.has("tools")) return nullptr;
  const Json& given = row.json()["tools"];
  if (given.is_string() && given.get<std::string>().find_first_not_of(" \t\r\n") == std::string::npos)
    return nullptr;
  Json tools = given.is_string() ? parse_json(given.get<std::string>(), row.where() + ": tools") : given;
  check(tools.is_array(), "{}: field 'tools' must be a list", row.where());
  return tools.empty() ? Json() : tools;
}

// {"name": ..., "arguments": ...} as text, or a list of them, as OpenAI's tool calls. Templates take the
// arguments as text.
Json tool_calls(const std::string& text, const std::string& where) {
  Json given = parse_json(text, where + ": function_call"), calls = Json::array();
  if (!given.is_array()) given = Json::array({given});
  for (const Json& call : given) {
    const JsonObject c(call, where + ": function_call");
    const auto name = c.required<std::string>("name");
    const Json arguments = c.required<Json>("arguments");
    calls.push_back({{"type", "function"},
                     {"function",
                      {{"name", name},
                       {"arguments", arguments.is_string() ? arguments.get<std::string>() : arguments.dump()}}}});
  }
  check(!calls.empty(), "{}: an empty function_call", where);
  return calls;
}

Json sharegpt_message(const Json& turn, const std::string& where) {
  static const std::map<std::string, std::string> roles = {
      {"human", "user"},       {"user", "user"},    {"gpt", "assistant"},    {"assistant", "assistant"},
      {"chatgpt", "assistant"}, {"system", "system"}, {"observation", "tool"}, {"tool", "tool"}};
  const JsonObject t(turn, where);
  const auto from = t.required<std::string>("from"), value = t.required<std::string>("value");
  if (from == "function_call") {
    Json m = message("assistant", "");
    m["tool_calls"] = tool_calls(value, where);
    return m;
  }
  const auto role = roles.find(from);
  check(role != roles.end(), "{}: 'from' is '{}', which is no known speaker", where, from);
  Json m = message(role->second, value);
  if (t.has("weight")) m["weight"] = t.required<double>("weight");
  return m;
}

Json sharegpt_messages(const JsonObject& row) {
  Json messages = Json::array();
  if (const auto system = row.optional<std::string>("system", ""); !system.empty())
    messages.push_back(message("system", system));
  const Json turns = row.required<Json>("conversations");
  check(turns.is_array(), "{}: field 'conversations' must be a list", row.where());
  for (const Json& turn : turns) messages.push_back(sharegpt_message(turn, row.where()));
  return messages;
}

Json alpaca_messages(const JsonObject& row) {
  Json messages = Json::array();
  if (const auto system = row.optional<std::string>("system", ""); !system.empty())
    messages.push_back(message("system", system));
  for (const auto& turn : row.optional<std::vector<std::vector<std::string>>>("history", {})) {
    check(turn.size() == 2, "{}: an entry of 'history' must be a question and an answer", row.where());
    messages.push_back(message("user", turn[0])), messages.push_back(message("assistant", turn[1]));
  }
  auto question = row.required<std::string>("instruction");
  if (const auto input = row.optional<std::string>("input", ""); !input.empty()) question += "\n" + input;
  messages.push_back(message("user", question));
  messages.push_back(message("assistant", row.required<std::string>("output")));
  return messages;
}

// What the prompt's assistant said is not learned.
Json prompt_messages(const JsonObject& row) {
  const std::string answer = row.has("completion") ? "completion" : "response";
  const Json prompt = row.required<Json>("prompt"), completion = row.required<Json>(answer);
  if (prompt.is_string()) {
    Json messages = Json::array({message("user", prompt)});
    messages.push_back(message("assistant", row.required<std::string>(answer)));
    return messages;
  }
  Json messages = chat_messages(prompt, row.where());
  for (Json& m : messages) m["weight"] = 0;
  for (const Json& m : chat_messages(completion, row.where())) messages.push_back(m);
  return messages;
}

double weight_of(const JsonObject& o) {
  const auto weight = o.optional<double>("weight", 1);
  check(weight >= 0 && std::isfinite(weight), "{}: field 'weight' is {}, where it must not be negative",
        o.where(), weight);
  return weight;
}

}  // namespace

Json chat_messages(const Json& messages, const std::string& where) {
  check(messages.is_array(), "{}: messages must be a list", where);
  Json result = Json::array();
  for (const Json& given : messages) {
    const JsonObject m(given, where);
    m.required<std::string>("role");
    weight_of(m);
    Json one = given;
    one["content"] = content_text(m);
    result.push_back(std::move(one));
  }
  return result;
}

ChatRow chat_row(const Json& json, const std::string& where) {
  const JsonObject row(json, where);
  ChatRow result;
  result.where = where, result.weight = weight_of(row), result.tools = tools_of(row);
  if (row.has("messages"))
    result.messages = chat_messages(json["messages"], where);
  else if (row.has("conversations"))
    result.messages = sharegpt_messages(row);
  else if (row.has("instruction"))
    result.messages = alpaca_messages(row);
  else if (row.has("prompt"))
    result.messages = prompt_messages(row);
  else
    fail("{}: has none of the fields messages, conversations, instruction and prompt", where);
  check(!result.messages.empty(), "{}: an empty conversation", where);
  return result;
}

}  // namespace fathom
