// Experts that no token chooses any more.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "train/expert_load.h"

namespace fathom {

class DeadExperts {
 public:
  static constexpr int32_t patience = 100;  // steps without a choice

  // Of every step. The layers and experts that died with it.
  std::vector<std::pair<int64_t, int64_t>> add(const ExpertLoad& load);
  int64_t count() const;

 private:
  std::vector<int32_t> idle_;  // [L, E] steps since it was last chosen
};

}  // namespace fathom
