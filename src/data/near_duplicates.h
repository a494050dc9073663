// Near duplicates by locality-sensitive hashing: signatures are cut into bands, and only texts that agree in
// a whole band are compared. Texts come in order, and one that is like an earlier text that was kept is a
// duplicate of the first such text.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "data/min_hash.h"

namespace fathom {

// Minima in a band, so that at least nine of ten pairs as similar as `threshold` agree in one.
size_t band_rows(double threshold);

class NearDuplicates {
 public:
  explicit NearDuplicates(double threshold);

  struct Match {
    uint32_t text;  // in the order of keep()
    double similarity;
  };
  // The first kept text that is at least as similar as the threshold, of up to 32 in each band.
  std::optional<Match> find(const MinHash& signature) const;
  // The text with this signature stays. Its number is how many were kept before.
  void keep(const MinHash& signature);

  size_t memory() const;

 private:
  // An open table of (hash of the band, text); a hash may be there several times.
  struct Band {
    struct Slot {
      uint32_t hash, text = 0;  // text + 1; 0: free
    };
    std::vector<Slot> slots;
    size_t used = 0;

    template <class Visit>
    size_t visit(uint32_t hash, const Visit& visit) const;
    void insert(uint32_t hash, uint32_t text);
  };
  uint32_t band_hash(const MinHash& signature, size_t band) const;

  double threshold_;
  size_t rows_;
  std::vector<Band> bands_;
  std::vector<Sketch> sketches_;
};

}  // namespace fathom
