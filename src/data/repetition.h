// How much of a text repeats itself: lines, paragraphs and runs of words, as Gopher's filters measure it (Rae
// et al. 2021, table A1).
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "data/flat_map.h"
#include "data/words.h"

namespace fathom {

// Working memory, one for each thread.
using GramCounts = FlatMap<uint32_t>;

struct Repeats {
  double count = 0;  // share of the pieces that stood there before
  double bytes = 0;  // share of the bytes in them
};
// Of pieces between line ends, or between blank lines; empty pieces do not count.
Repeats repeated_lines(std::string_view text, GramCounts& counts);
Repeats repeated_paragraphs(std::string_view text, GramCounts& counts);

// The largest share of the words' characters that the occurrences of one run of n words have, if it occurs
// twice.
double top_gram_share(std::span<const Word> words, size_t n, GramCounts& counts);
// The share of the words' characters in runs of n words that stood there before; overlaps count once.
double repeated_gram_share(std::span<const Word> words, size_t n, GramCounts& counts);

}  // namespace fathom
