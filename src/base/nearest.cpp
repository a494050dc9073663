#include "base/nearest.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace fathom {
namespace {

char plain(char c) {
  return c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

// Insertions, deletions, substitutions and swaps of neighbours that turn one into the other; case and the
// kind of dash do not count.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = plain(a[i - 1]) == plain(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      const bool swapped =
          i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

// How far apart the names are; a name without sections is compared with the last part of one that has them.
size_t distance_between(std::string_view given, std::string_view name) {
  const bool by_last_part =
      given.find('.') == std::string_view::npos && name.find('.') != std::string_view::npos;
  if (!by_last_part) return edit_distance(given, name);
  given.remove_prefix(std::min(given.find_first_not_of('-'), given.size()));
  return edit_distance(given, name.substr(name.rfind('.') + 1));
}

}  // namespace

std::string nearest(std::string_view given, std::span<const std::string> known) {
  std::string best;
  size_t least = std::max<size_t>(1, given.size() / 3) + 1;
  for (const std::string& name : known) {
    const size_t distance = distance_between(given, name);
    if (distance < least) least = distance, best = name;
  }
  return best;
}

std::string did_you_mean(std::string_view given, std::span<const std::string> known) {
  const std::string name = nearest(given, known);
  return name.empty() ? "" : ": did you mean " + name + "?";
}

}  // namespace fathom
