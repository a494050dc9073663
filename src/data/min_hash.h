// MinHash signatures (Broder 1997): of two texts, as many of the 112 minima agree as their sets of shingles
// overlap (Jaccard similarity). A shingle is five words in a row; a text of fewer is one shingle.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "data/words.h"

namespace fathom {

inline constexpr size_t shingle_words = 5;
inline constexpr size_t signature_size = 112;
using MinHash = std::array<uint32_t, signature_size>;

// Nothing for a text without words: it is like no other.
std::optional<MinHash> min_hash(std::span<const Word> words);

// A byte of each minimum, which is all that comparing needs.
using Sketch = std::array<uint8_t, signature_size>;
Sketch sketch_of(const MinHash& signature);
// The similarity that two sketches tell of: unbiased, 1 for equal ones.
double similarity(const Sketch& a, const Sketch& b);

}  // namespace fathom
