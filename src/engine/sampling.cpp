#include "engine/sampling.h"

#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace fathom {

void check_sampling(const SamplingParameters& p) {
  check(std::isfinite(p.temperature) && p.temperature >= 0, "temperature must be 0 or more, it is {}",
        p.temperature);
  check(p.top_k >= 0, "top_k must be 0 (off) or more, it is {}", p.top_k);
  check(p.top_p > 0 && p.top_p <= 1, "top_p must be above 0 and at most 1, it is {}", p.top_p);
  check(p.min_p >= 0 && p.min_p <= 1, "min_p must be between 0 and 1, it is {}", p.min_p);
}

double sampling_draw(const SamplingParameters& p, int64_t position) {
  return Rng(p.seed, static_cast<uint64_t>(position)).uniform();
}

}  // namespace fathom
