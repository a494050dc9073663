// How much of a text repeats itself: lines, paragraphs and runs of words, as Gopher's filters measure it (Rae
// et al. 2021, table A1).
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/flat_map.h"
#include "data/words.h"

namespace fathom {

// Working memory, one for each thread.
struct RepetitionScratch {
  struct Count {
    uint32_t count = 1, first = 0;  // how often a run was there, and its first place in `runs`
  };
  struct Run {
    uint64_t hash;
    uint32_t begin;  // its first word
    bool again;      // it is there more than once
  };
  FlatMap<Count> counts;
  std::vector<Run> runs;
};

struct Repeats {
  double count = 0;  // share of the pieces that stood there before
  double bytes = 0;  // share of the bytes in them
};
// Of pieces between line ends, or between blank lines; empty pieces do not count.
Repeats repeated_lines(std::string_view text, RepetitionScratch& scratch);
Repeats repeated_paragraphs(std::string_view text, RepetitionScratch& scratch);

// The runs of words that are in a text more than once. Each call is for longer runs than the one before: a
// run can only be repeated if its beginning is, so that after the first call few are left to look at.
class RepeatedRuns {
 public:
  // Both must outlive this object; from the first call on the scratch is in use.
  RepeatedRuns(std::span<const Word> words, RepetitionScratch& scratch) : words_(words), scratch_(scratch) {}

  // The largest share of the words' characters that the occurrences of one run of n words have, if it occurs
  // twice.
  double top_share(size_t n);
  // The share of the words' characters in runs of n words that stood there before; overlaps count once.
  double repeated_share(size_t n);

 private:
  template <class Visit>
  void grow(size_t n, const Visit& visit);
  double share(uint64_t characters) const;

  std::span<const Word> words_;
  RepetitionScratch& scratch_;
  size_t length_ = 0;  // of scratch_.runs
};

}  // namespace fathom
