#include "align/questions.h"

#include "align/chat_row.h"
#include "io/json_rows.h"
#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"

namespace fathom {
namespace {

Json one_message(std::string content) {
  return Json::array({{{"role", "user"}, {"content", std::move(content)}}});
}

Json messages_of(const JsonObject& row) {
  if (row.has("messages")) return chat_messages(row.required<Json>("messages"), row.where());
  if (row.has("prompt")) {
    const Json prompt = row.required<Json>("prompt");
    return prompt.is_string() ? one_message(prompt) : chat_messages(prompt, row.where());
  }
  if (row.has("question")) return one_message(row.required<std::string>("question"));
  check(row.has("instruction"), "{}: has none of the fields messages, prompt, question and instruction",
        row.where());
  auto text = row.required<std::string>("instruction");
  if (const auto input = row.optional<std::string>("input", ""); !input.empty()) text += "\n" + input;
  return one_message(std::move(text));
}

}  // namespace

Json question_messages(const Json& row, const std::string& where) {
  Json messages = messages_of(JsonObject(row, where));
  while (!messages.empty() && messages.back()["role"] == "assistant") messages.erase(messages.size() - 1);
  check(!messages.empty(), "{}: no question", where);
  return messages;
}

Question question(const Json& json, const std::string& where, const ChatTools& tools) {
  Question q{.row = json, .where = where, .messages = question_messages(json, where), .prompt = {}};
  ChatOptions options{.add_generation_prompt = true, .variables = Json::object()};
  if (json.contains("tools") && json["tools"].is_array()) options.variables["tools"] = json["tools"];
  try {
    q.prompt = tools.chat_template.encode(tools.tokenizer, q.messages, options);
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
  check(!q.prompt.empty(), "{}: the chat template writes nothing", where);
  return q;
}

std::vector<Question> read_questions(const std::vector<std::string>& paths, const Recipe& recipe,
                                     const ChatTools& tools, int64_t answer_tokens) {
  std::vector<Question> questions;
  const int64_t room = recipe.data.sequence_length + 1 - answer_tokens;
  for (const std::string& path : paths) {
    BadLines unusable;
    const size_t before = questions.size();
    JsonRows rows(path, recipe.chat.strict ? nullptr : &unusable);
    for (Json json; rows.next(json);) {
      try {
        Question q = question(json, rows.where(), tools);
        const auto length = static_cast<int64_t>(q.prompt.size());
        check(length <= room,
              "{}: a prompt of {} tokens leaves no room for an answer of {} in data.sequence_length = {}", q.where,
              length, answer_tokens, recipe.data.sequence_length);
        questions.push_back(std::move(q));
      } catch (const Error& error) {
        if (recipe.chat.strict) throw;
        unusable.add(error.what());
      }
    }
    const size_t found = questions.size() - before;
    check(found > 0, "{}: no question can be used{}", path,
          unusable.examples.empty() ? "" : ": " + unusable.examples.front());
    log::info("{}: {} questions", path, human_count(static_cast<double>(found)));
    if (unusable.count > 0)
      log::warn("{}: {} rows cannot be used and are left out, such as\n  {}", path, unusable.count,
                unusable.examples.front());
  }
  return questions;
}

}  // namespace fathom
