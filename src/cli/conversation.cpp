#include "cli/conversation.h"

#include "base/error.h"
#include "io/file.h"

namespace fathom {
namespace {

Json message(const std::string& role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

}  // namespace

void Conversation::set_system(const std::string& text) {
  if (has_system()) messages_.erase(messages_.begin());
  if (!text.empty()) messages_.insert(messages_.begin(), message("system", text));
}

void Conversation::add(const std::string& role, const std::string& content) {
  messages_.push_back(message(role, content));
}

bool Conversation::undo() {
  const size_t least = has_system() ? 1 : 0;
  if (messages_.size() <= least) return false;
  while (messages_.size() > least) {
    const bool asked = messages_.back()["role"] == "user";
    messages_.erase(messages_.end() - 1);
    if (asked) break;
  }
  return true;
}

void Conversation::clear() {
  messages_ = has_system() ? Json::array({messages_[0]}) : Json::array();
}

void Conversation::save(const std::string& path) const {
  write_file(path, OrderedJson{{"messages", messages_}}.dump(2) + "\n");
}

void Conversation::load(const std::string& path) {
  const Json json = read_json(path);
  const Json* list = &json;
  if (json.is_object()) {
    check(json.contains("messages"), "{}: no conversation: field 'messages' is missing", path);
    list = &json["messages"];
  }
  check(list->is_array(), "{}: no conversation: the messages must be a list", path);
  for (size_t i = 0; i < list->size(); ++i) {
    check((*list)[i].is_object(), "{}: messages[{}] must be an object", path, i);
    const JsonObject one((*list)[i], path + ": messages[" + std::to_string(i) + "]");
    one.required<std::string>("role"), one.required<std::string>("content");
  }
  messages_ = *list;
}

}  // namespace fathom
