// Data files as pieces of tokens, and what was left out of them.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "align/chat_encoding.h"
#include "io/json_rows.h"
#include "align/pieces.h"
#include "io/documents.h"
#include "train/recipe.h"

namespace fathom {

// Of one file, or of several.
struct PieceCounts {
  int64_t read = 0;    // rows of the file
  int64_t pieces = 0;  // that came of them
  int64_t tokens = 0, targets = 0;
  BadLines unusable;         // left out, each with its reason
  // Pieces longer than a sequence:
  int64_t too_long = 0;      // left out
  int64_t cut = 0;           // and kept without their end
  int64_t lost_targets = 0;  // left out, since without their end they have no target
  ChatNotes notes;

  // What a person should know, as one line of information and warnings; `what` names the files.
  void log(const std::string& what) const;
};

// Makes a row of a file into pieces. Error naming `where` for one that cannot be used. Called from several
// threads.
using PieceEncoder = std::function<std::vector<Piece>(const Json& row, const std::string& where, ChatNotes&)>;

// Adds the pieces of a file, in its order, whatever the number of threads. Error naming the file when there is
// not one that can be used; with chat.strict for the first that cannot.
void read_pieces(const std::string& path, const PieceEncoder& encoder, const Recipe& recipe, int threads,
                 Pieces& pieces, PieceCounts& counts);

}  // namespace fathom
