// A row of preference data, whatever its form: two conversations of which one is preferred. Forms:
//   chosen, rejected    each a text, a message, or a list of messages, behind `prompt` or `conversations`; without
//                       them lists that begin alike, or transcripts ("\n\nHuman: ...\n\nAssistant: ...")
//   chosen_messages, rejected_messages
//   prompt with replies Open Assistant's trees: a message with `replies`, each with a `rank`, 0 best; each two
//                       replies of different rank are a preference, anywhere in the tree
// and with each of the first: margin, tie, weight. Single answers with a score:
//   a conversation (align/chat_row.h) with `score`, or `label` (true or false: 1 or 0)
#pragma once
#include <string>
#include <vector>

#include "align/chat_row.h"
#include "align/pieces.h"

namespace fathom {

// Conversations that end with the answers. What both say first has the weight 0.
struct PreferenceRow {
  ChatRow chosen, rejected;
  PieceLabel label;
};

// Error naming `where` for a row in none of these forms, or whose two answers are the same.
std::vector<PreferenceRow> preference_rows(const Json& row, const std::string& where);

struct ScoredRow {
  ChatRow conversation;
  PieceLabel label;
};
ScoredRow scored_row(const Json& row, const std::string& where);

}  // namespace fathom
