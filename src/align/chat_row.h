// A row of a chat data set, whatever its form: a conversation as OpenAI messages. Forms are told apart by their
// fields:
//   messages: [{role, content, weight?}], tools?            OpenAI; weight 0 or 1 of an assistant's message
//   conversations: [{from, value}], system?, tools?         ShareGPT
//   instruction, input?, output, system?, history?          Alpaca
//   prompt, completion (or response)                        texts, or lists of messages
// Each may have a `weight`.
#pragma once
#include <string>

#include "io/json.h"

namespace fathom {

struct ChatRow {
  Json messages = Json::array();  // objects with `role` and `content`, a text; `weight` where it was given
  Json tools;                     // a list, or null
  double weight = 1;              // of its targets' losses, not negative
  std::string where;              // "a.jsonl:3"
};

// Error naming `where` and the field, for what is in none of these forms.
ChatRow chat_row(const Json& row, const std::string& where);

// One that OpenAI's `messages` field has: a role and content. Content that is null becomes "", a list of text
// parts their texts. Error naming `where`.
Json chat_messages(const Json& messages, const std::string& where);

}  // namespace fathom
