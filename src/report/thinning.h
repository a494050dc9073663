// What a page may have of a run's texts: some of many, and no more of each than can be read.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace fathom {

// Evenly chosen, the last one among them.
template <class T>
std::vector<T> thinned(std::vector<T> all, size_t most) {
  if (all.size() <= most) return all;
  std::vector<T> kept;
  for (size_t i = 0; i < most; ++i) kept.push_back(std::move(all[(i + 1) * all.size() / most - 1]));
  return kept;
}

// Cut between characters of UTF-8.
inline std::string shortened(std::string text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  text.resize(most);
  return text + " [...]";
}

}  // namespace fathom
