#include "align/preference_row.h"

#include <cmath>
#include <string_view>

#include "base/error.h"

namespace fathom {
namespace {

constexpr int most_replies = 64;  // of one message: pairs grow with its square

Json message(const std::string& role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

// "\n\nHuman: ...\n\nAssistant: ..." as messages.
Json transcript_messages(const std::string& text, const std::string& where) {
  static constexpr std::string_view user = "\n\nHuman:", assistant = "\n\nAssistant:";
  Json messages = Json::array();
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    const bool is_user = rest.starts_with(user);
    check(is_user || rest.starts_with(assistant), "{}: a transcript must begin with \"\\n\\nHuman:\"", where);
    const size_t begin = at + (is_user ? user : assistant).size();
    const size_t end = std::min({text.find(user, begin), text.find(assistant, begin), text.size()});
    const size_t first = text.find_first_not_of(' ', begin);
    messages.push_back(message(is_user ? "user" : "assistant",
                               first < end ? text.substr(first, end - first) : std::string()));
    at = end;
  }
  return messages;
}

// What `chosen` or `rejected` holds, behind the prompt's messages.
Json answer_messages(const Json& answer, const Json& prompt, const std::string& where) {
  Json messages = prompt;
  const auto append = [&](const Json& list) { messages.insert(messages.end(), list.begin(), list.end()); };
  if (answer.is_string() && prompt.empty())
    append(transcript_messages(answer.get<std::string>(), where));
  else if (answer.is_string())
    messages.push_back(message("assistant", answer.get<std::string>()));
  else if (answer.is_object() && answer.contains("from"))
    append(chat_row({{"conversations", Json::array({answer})}}, where).messages);
  else
    append(chat_messages(answer.is_object() ? Json::array({answer}) : answer, where));
  return messages;
}

Json prompt_of(const JsonObject& row) {
  if (row.has("conversations"))
    return chat_row({{"conversations", row.required<Json>("conversations")}}, row.where()).messages;
  if (!row.has("prompt")) return Json::array();
  const Json prompt = row.required<Json>("prompt");
  Json messages = Json::array();
  if (const auto system = row.optional<std::string>("system", ""); !system.empty())
    messages.push_back(message("system", system));
  if (prompt.is_string())
    messages.push_back(message("user", prompt.get<std::string>()));
  else
    for (const Json& m : chat_messages(prompt, row.where())) messages.push_back(m);
  return messages;
}

double number(const JsonObject& row, const char* field, double otherwise) {
  const auto value = row.optional<double>(field, otherwise);
  check(value >= 0, "{}: field '{}' is {}, where it must not be negative", row.where(), field, value);
  return value;
}

// What both say first is not learned.
PreferenceRow preference(Json chosen, Json rejected, const PieceLabel& label, const std::string& where) {
  size_t same = 0;
  while (same < chosen.size() && same < rejected.size() && chosen[same] == rejected[same]) ++same;
  check((same < chosen.size() && same < rejected.size()) || label.tie,
        "{}: one answer is the other's beginning, or they are the same", where);
  if (label.tie) same = std::min({same, chosen.size() - 1, rejected.size() - 1});
  for (Json* messages : {&chosen, &rejected})
    for (size_t m = 0; m < same; ++m)
      if ((*messages)[m]["role"] == "assistant") (*messages)[m]["weight"] = 0;
  PreferenceRow row;
  row.chosen.messages = std::move(chosen), row.rejected.messages = std::move(rejected);
  row.chosen.where = where + " (chosen)", row.rejected.where = where + " (rejected)";
  row.label = label;
  return row;
}

// Replies of one message of a tree, and of those below them.
class Tree {
 public:
  explicit Tree(std::string where) : where_(std::move(where)) {}

  void walk(const Json& node, Json before) {
    const JsonObject n(node, where_);
    before.push_back(message(n.required<std::string>("role") == "assistant" ? "assistant" : "user",
                             n.required<std::string>("text")));
    const Json replies = n.optional<Json>("replies", Json::array());
    check(replies.is_array() && replies.size() <= most_replies, "{}: replies must be a list of at most {}", where_,
          most_replies);
    if (before.back()["role"] == "user") compare(replies, before);
    for (const Json& reply : replies) walk(reply, before);
  }

  std::vector<PreferenceRow> rows;

 private:
  void compare(const Json& replies, const Json& before) {
    for (const Json& better : replies)
      for (const Json& worse : replies) {
        const JsonObject a(better, where_), b(worse, where_);
        if (!a.has("rank") || !b.has("rank") || a.required<double>("rank") >= b.required<double>("rank")) continue;
        Json chosen = before, rejected = before;
        chosen.push_back(message("assistant", a.required<std::string>("text")));
        rejected.push_back(message("assistant", b.required<std::string>("text")));
        rows.push_back(preference(std::move(chosen), std::move(rejected), {}, where_));
      }
  }

  std::string where_;
};

}  // namespace

std::vector<PreferenceRow> preference_rows(const Json& json, const std::string& where) {
  const JsonObject row(json, where);
  if (row.has("prompt") && json["prompt"].is_object()) {
    Tree tree(where);
    tree.walk(json["prompt"], Json::array());
    check(!tree.rows.empty(), "{}: a tree without two replies of different rank", where);
    return std::move(tree.rows);
  }
  const bool messages = row.has("chosen_messages");
  const Json prompt = messages ? Json::array() : prompt_of(row),
             chosen = row.required<Json>(messages ? "chosen_messages" : "chosen"),
             rejected = row.required<Json>(messages ? "rejected_messages" : "rejected");
  PieceLabel label;
  label.weight = number(row, "weight", 1), label.margin = number(row, "margin", 0);
  label.tie = row.optional<bool>("tie", false);
  return {preference(answer_messages(chosen, prompt, where), answer_messages(rejected, prompt, where), label,
                     where)};
}

ScoredRow scored_row(const Json& json, const std::string& where) {
  const JsonObject row(json, where);
  ScoredRow scored{.conversation = chat_row(json, where), .label = {}};
  scored.label.weight = scored.conversation.weight;
  check(row.has("score") || row.has("label"), "{}: a single answer needs a score, or a label", where);
  scored.label.score =
      row.has("score") ? row.required<double>("score") : (row.required<bool>("label") ? 1.0 : 0.0);
  return scored;
}

}  // namespace fathom
