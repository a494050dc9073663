// The conversations of files as rows of tokens, and what was left out of them.
#pragma once
#include <cstdint>
#include <string>

#include "align/chat_encoding.h"
#include "align/token_rows.h"
#include "io/documents.h"
#include "train/recipe.h"

namespace fathom {

// Of one file, or of several.
struct ChatCounts {
  int64_t conversations = 0;  // read
  int64_t rows = 0;           // that came of them
  int64_t tokens = 0, targets = 0;
  BadLines unusable;         // left out, each with its reason
  // Rows longer than a sequence:
  int64_t too_long = 0;      // left out
  int64_t cut = 0;           // and kept without their end
  int64_t lost_targets = 0;  // left out, since without their end they have no target
  ChatNotes notes;

  // What a person should know, as one line of information and warnings; `what` names the files.
  void log(const std::string& what) const;
};

// Adds the rows of a file, in its order, whatever the number of threads. Error naming the file when there is
// not one that can be used; with chat.strict for the first that cannot.
void read_chat_rows(const std::string& path, const ChatEncoder& encoder, const Recipe& recipe, int threads,
                    TokenRows& rows, ChatCounts& counts);

}  // namespace fathom
