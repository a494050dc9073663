// Which rows of a batch tell the log-probabilities that its sequences ask for (Request::scoring): the row of
// a token is that of the token before it.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/scheduler.h"

namespace fathom {

struct GivenTokenRows {
  std::vector<int32_t> rows, targets;  // [S]: a row of the batch, the token that is scored there
  std::vector<size_t> starts = {0};    // piece p has those from starts[p] up to starts[p + 1]

  int64_t size() const { return static_cast<int64_t>(rows.size()); }
};

// Of pieces that are packed one after another, as host_batch does it. The pairs of a piece are in the order
// of Sequence::scores, without gaps.
GivenTokenRows given_token_rows(std::span<const Scheduled> pieces);
// The place in Sequence::scores of a piece's first pair, when `cached` tokens were there before it.
size_t first_score(const Sequence& sequence, int64_t cached);

}  // namespace fathom
