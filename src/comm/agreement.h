// What ranks tell each other in words: texts, and the errors of one of them to all.
#pragma once
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "comm/communicator.h"

namespace fathom {

// The text of every rank.
std::vector<std::string> gather_texts(Communicator& ranks, const std::string& mine);
// Rank 0's, on every rank.
std::string broadcast_text(Communicator& ranks, const std::string& text);

// Rank 0 gets the text of every rank, its own first, piece by piece: use(rank, piece). It holds one piece of
// another rank's at a time.
void pass_texts(Communicator& ranks, std::string_view mine,
                const std::function<void(int rank, std::string_view piece)>& use);

bool all_of(Communicator& ranks, bool mine);

// What failed, in the words of the lowest rank that has something to tell; every rank gets them. Empty where
// nothing failed, here as there. Of several ranks it begins with "rank 2 on host: ".
std::string first_failure(Communicator& ranks, const std::string& mine);

// What failed here, in words; empty when nothing did. Not for parts with collectives in them: those of other
// ranks would wait.
template <class Part>
std::string failure_of(const Part& part) {
  try {
    part();
  } catch (const std::exception& e) {
    return explain(e);
  }
  return {};
}

// Every rank does its part; when that of one fails, its Error is thrown on all.
template <class Part>
void together(Communicator& ranks, const Part& part) {
  const std::string failure = first_failure(ranks, failure_of(part));
  check(failure.empty(), "{}", failure);
}

}  // namespace fathom
