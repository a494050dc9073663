// Many questions to a judge, each until its reply can be read, some at a time, with a line for each in a
// journal.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "http/chat_endpoint.h"
#include "judge/journal.h"

namespace fathom {

struct JudgeItem {
  std::string id;     // unique in a run
  OrderedJson about;  // fields of its line in the journal
  Json messages;      // what the judge is asked
};

// What one reply says: fields for the journal, or why it says nothing.
struct Reading {
  OrderedJson fields = OrderedJson::object();
  std::string failure = {};
};
using ReadReply = std::function<Reading(const JudgeItem&, const ChatReply&)>;

struct JudgeSettings {
  double temperature = 0;
  int64_t max_tokens = 2048;
  int top_log_probs = 0;
  int64_t attempts = 3;  // for a reply that can be read
  int64_t parallel = 4;
};

// Asks for the items that the journal has no readable judgement of. A line: "id", the item's fields,
// "judgment" (the last reply), those of the reading or "failure", "attempts" (every reply with what was wrong
// with it) and "tstamp". What fails is asked again by the next run. Error when the judge answers none of the
// first requests, and when the user interrupts.
void judge_all(ChatEndpoint& judge, const JudgeSettings& settings, std::span<const JudgeItem> items,
               const ReadReply& read, Journal& journal);

}  // namespace fathom
