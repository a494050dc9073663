// Picks the next token from logits. The steps, in Hugging Face's order: temperature, then top-k, then top-p
// over what top-k left, then min-p; then one draw. docs/generation.md says what each does.
#pragma once
#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace fathom {

struct SamplingParameters {
  double temperature = 0;  // divides the logits; 0: always the most likely token, the rest is ignored
  int64_t top_k = 0;       // keep the k most likely tokens; 0: all
  double top_p = 1;        // keep the fewest most likely tokens that hold this much probability; 1: all
  double min_p = 0;        // drop tokens less likely than this times the most likely one; 0: none
  uint64_t seed = 0;       // with the position, the only source of randomness
};

// Throws Error naming the parameter that cannot work.
void check_sampling(const SamplingParameters& parameters);

class Sampler {
 public:
  // `vocabulary`: ids from here on are never picked. Models pad their vocabulary past the tokenizer's.
  explicit Sampler(int64_t vocabulary) : vocabulary_(vocabulary) {}

  // The draw is a pure function of logits, parameters and position (the token's place in its sequence): it
  // does not depend on what else is in the batch. Of equal logits the lower id goes first. Logits that are
  // NaN, infinite or all minus infinity are an Error.
  int32_t sample(const Tensor& logits /* [V] stat */, const SamplingParameters& parameters, int64_t position);

 private:
  struct Candidate {
    float weight;  // the logit, later exp((logit - largest) / temperature)
    int32_t id;
  };
  static bool more_likely(const Candidate& a, const Candidate& b) {
    return a.weight > b.weight || (a.weight == b.weight && a.id < b.id);
  }

  template <class T>
  void load(const T* logits);
  Candidate largest() const;
  void keep_top_k(int64_t k);
  void keep_top_p(double p);
  double total() const;
  int32_t draw(double uniform) const;

  int64_t vocabulary_;
  std::vector<Candidate> candidates_;
};

}  // namespace fathom
