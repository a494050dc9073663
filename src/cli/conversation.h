// The messages of a chat, in OpenAI's form.
#pragma once
#include <string>

#include "io/json.h"

namespace fathom {

class Conversation {
 public:
  // What the assistant is told first; empty: nothing.
  void set_system(const std::string& text);
  void add(const std::string& role, const std::string& content);
  // Takes the last answer and what it answered back. False if there is none.
  bool undo();
  // All but the system message.
  void clear();

  const Json& messages() const { return messages_; }

  // A file {"messages": [...]}. Loading takes such a file or the list alone; an Error leaves the conversation
  // as it was.
  void save(const std::string& path) const;
  void load(const std::string& path);

 private:
  bool has_system() const { return !messages_.empty() && messages_[0]["role"] == "system"; }

  Json messages_ = Json::array();
};

}  // namespace fathom
