#include "data/near_duplicates.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace fathom {
namespace {

constexpr size_t most_in_band = 32;

}  // namespace

size_t band_rows(double threshold) {
  for (const size_t rows : {16, 14, 8, 7, 4}) {
    const auto bands = static_cast<double>(signature_size / rows);
    const double found = 1 - std::pow(1 - std::pow(threshold, static_cast<double>(rows)), bands);
    if (found >= 0.9) return rows;
  }
  return 2;
}

NearDuplicates::NearDuplicates(double threshold)
    : threshold_(threshold), rows_(band_rows(threshold)), bands_(signature_size / rows_) {
  check(threshold > 0 && threshold <= 1,
        "the similarity of near duplicates must be above 0 and at most 1, got {}", threshold);
}

// Calls visit(text) for each text with this hash; returns how many there are.
template <class Visit>
size_t NearDuplicates::Band::visit(uint32_t hash, const Visit& visit) const {
  if (slots.empty()) return 0;
  size_t found = 0;
  for (size_t i = hash & (slots.size() - 1); slots[i].text != 0; i = (i + 1) & (slots.size() - 1))
    if (slots[i].hash == hash) ++found, visit(slots[i].text - 1);
  return found;
}

void NearDuplicates::Band::insert(uint32_t hash, uint32_t text) {
  if (used * 10 >= slots.size() * 7) {
    const std::vector<Slot> old = std::exchange(slots, {});
    slots.resize(old.empty() ? 64 : 2 * old.size());
    used = 0;
    for (const Slot& slot : old)
      if (slot.text != 0) insert(slot.hash, slot.text - 1);
  }
  size_t i = hash & (slots.size() - 1);
  while (slots[i].text != 0) i = (i + 1) & (slots.size() - 1);
  slots[i] = {hash, text + 1};
  ++used;
}

uint32_t NearDuplicates::band_hash(const MinHash& signature, size_t band) const {
  return static_cast<uint32_t>(XXH3_64bits(&signature[band * rows_], rows_ * sizeof(uint32_t)));
}

std::optional<NearDuplicates::Match> NearDuplicates::find(const MinHash& signature) const {
  const Sketch sketch = sketch_of(signature);
  std::optional<Match> first;
  for (size_t b = 0; b < bands_.size(); ++b)
    bands_[b].visit(band_hash(signature, b), [&](uint32_t text) {
      if (first && text >= first->text) return;
      const double s = similarity(sketch, sketches_[text]);
      if (s >= threshold_) first = Match{text, s};
    });
  return first;
}

void NearDuplicates::keep(const MinHash& signature) {
  check(sketches_.size() < UINT32_MAX - 1, "deduplication is for up to {} documents", UINT32_MAX - 1);
  const auto text = static_cast<uint32_t>(sketches_.size());
  sketches_.push_back(sketch_of(signature));
  for (size_t b = 0; b < bands_.size(); ++b) {
    const uint32_t hash = band_hash(signature, b);
    if (bands_[b].visit(hash, [](uint32_t) {}) < most_in_band) bands_[b].insert(hash, text);
  }
}

size_t NearDuplicates::memory() const {
  size_t bytes = sketches_.capacity() * sizeof(Sketch);
  for (const Band& band : bands_) bytes += band.slots.capacity() * sizeof(Band::Slot);
  return bytes;
}

}  // namespace fathom
