// Learns merge rules from word counts: again and again the most frequent pair of neighbours becomes a token;
// of equally frequent pairs the one with the smaller ids. The same rule as Hugging Face's trainer, so the
// same merges.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "text/bpe.h"

namespace fathom {

struct LearnedBpe {
  std::vector<std::string>
      tokens;  // bytes by id; the 256 bytes first, in the order of their alphabet characters
  std::vector<MergeRule> merges;  // in rank order
};

struct BpeLimits {
  size_t vocab_size = 8192;   // tokens; at least 256
  int64_t min_frequency = 2;  // rarer pairs are not merged
};

// `progress`, if given, is called with the number of tokens now and then.
LearnedBpe learn_bpe(std::span<const std::pair<std::string, int64_t>> words, const BpeLimits& limits,
                     const std::function<void(size_t)>& progress = {});

}  // namespace fathom
