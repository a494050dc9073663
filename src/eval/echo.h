// A prompt that a server has echoed with log-probabilities: its tokens, checked, and where they stand.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "eval/token_places.h"
#include "http/completion_reply.h"

namespace fathom {

struct Echo {
  std::vector<SpelledToken> tokens;  // of the prompt; what was generated behind it is left out
  std::vector<TokenPlace> places;    // of a text
  std::string problem;               // what is wrong; then nothing of it may be used

  // Whether the server has put a token before the text.
  bool has_beginning() const { return tokens.size() > 1 && places[0].end == 0; }
};

// Of a reply to a text: every token of the text is there, and all but the first have a log-probability, which
// is not above 0.
Echo read_echo(const CompletionReply& reply, std::string_view sent);
// Of a reply to `count` token ids.
Echo read_echo(const CompletionReply& reply, size_t count);

// The first token of an answer behind `prompt` bytes, blanks at whose end belong to the answer: a token that
// lies across the seam is the answer's, and so is every part of its first character. 0: there is nothing
// before it.
size_t cut_of(const Echo& echo, size_t prompt);
// Whether a token lies across.
bool crosses(const Echo& echo, size_t prompt);
// Tokens at the beginning that are spelled alike.
size_t common_tokens(const Echo& a, const Echo& b);

}  // namespace fathom
