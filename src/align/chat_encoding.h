// A conversation as ids, and which of them are learned: what the assistant says, its end token included. The
// mask comes from the template's own text, rendered with and without each answer, never from a search for
// words in it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "align/chat_row.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace fathom {

struct EncodedRow {
  std::vector<int32_t> tokens;
  std::vector<float> weights;  // of each token as a target; 0: it is only read

  int64_t targets() const;
};

// What a data set's owner should know of its rows.
struct ChatNotes {
  int64_t answers = 0;          // that are learned
  int64_t without_end = 0;      // of them, those behind which the template writes no end token
  int64_t shared_tokens = 0;    // that begin inside a token of the prompt, which is not learned then
  int64_t rewritten = 0;        // whose conversation the template writes differently when it goes on: rows of their own

  ChatNotes& operator+=(const ChatNotes& other);
};

class ChatEncoder {
 public:
  // `ends`: ids that end an answer. With last_turn only the last answer of a row is learned. Template and
  // tokenizer must outlive it.
  ChatEncoder(const Tokenizer& tokenizer, const ChatTemplate& chat_template, std::vector<int32_t> ends,
              bool last_turn = false);

  // One row, of the conversation up to its last answer; and where the template writes an answer differently
  // once the conversation goes on, one that ends with it. Error naming the row when it has no answer, or the
  // template cannot write it, drops something, or writes an answer unlike its prompt. Safe from several
  // threads.
  std::vector<EncodedRow> encode(const ChatRow& row, ChatNotes& notes) const;

 private:
  struct Answer;
  jinja::Text render(const ChatRow& row, size_t messages, bool prompt) const;
  Answer find_answer(const ChatRow& row, size_t message) const;
  EncodedRow encode_text(const ChatRow& row, const jinja::Text& text, const std::vector<Answer>& answers,
                         ChatNotes& notes) const;

  const Tokenizer& tokenizer_;
  const ChatTemplate& template_;
  std::vector<int32_t> ends_;
  bool last_turn_;
};

}  // namespace fathom
