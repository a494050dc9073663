#include "engine/scored_rows.h"

#include <algorithm>

namespace fathom {

size_t first_score(const Sequence& s, int64_t cached) {
  return static_cast<size_t>(std::max<int64_t>(cached + 1 - s.scoring->first, 0));
}

GivenTokenRows given_token_rows(std::span<const Scheduled> pieces) {
  GivenTokenRows all;
  int64_t start = 0;  // of the piece in the batch
  for (const Scheduled& piece : pieces) {
    const Sequence& s = *piece.sequence;
    const auto add = [&](int64_t position, int32_t target) {
      all.rows.push_back(static_cast<int32_t>(start + position - s.cached));
      all.targets.push_back(target);
    };
    if (s.scoring) {
      const int64_t end = s.cached + piece.tokens;
      for (int64_t p = std::max(s.cached, s.scoring->first - 1); p < std::min(end, s.length() - 1); ++p)
        add(p, s.tokens[static_cast<size_t>(p) + 1]);
      if (piece.completes())
        for (const int32_t next : s.scoring->next) add(s.length() - 1, next);
    }
    all.starts.push_back(all.rows.size());
    start += piece.tokens;
  }
  return all;
}

}  // namespace fathom
