// What GRPO asks: rows with a question, each as the ids of a prompt for an answer. Forms, told apart by their
// fields:
//   messages        a conversation; answers at its end are left out
//   prompt          a text, or a list of messages
//   question        a text
//   instruction     a text, with `input`
// Whatever else a row has (the right answer, tests) is for the rewards.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "align/chat_tools.h"
#include "io/json.h"
#include "train/recipe.h"

namespace fathom {

struct Question {
  Json row;
  std::string where;            // "a.jsonl:3"
  Json messages;                // up to the question
  std::vector<int32_t> prompt;  // their ids, with what an answer begins with
};

// The conversation up to its question. Error naming `where` for a row in none of these forms.
Json question_messages(const Json& row, const std::string& where);

// Error naming `where` too for a row that the template cannot write.
Question question(const Json& row, const std::string& where, const ChatTools& tools);

// Of files, in order. Rows that cannot be used, or that leave no room for an answer of `answer_tokens` in
// data.sequence_length + 1, are left out and counted; with chat.strict the first is an Error. Error for a file
// without one that can be used.
std::vector<Question> read_questions(const std::vector<std::string>& paths, const Recipe& recipe,
                                     const ChatTools& tools, int64_t answer_tokens);

}  // namespace fathom
