// Tests of whether two models that answered the same items differ. Each has a name, which stands beside its p
// value.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fathom {

// McNemar (1947), exact: of `only_a` + `only_b` items that one of two has right and the other wrong each is a
// fair coin. Two-sided: twice the binomial's smaller tail, at most 1. For any number.
double mcnemar_exact(int64_t only_a, int64_t only_b);

// Fisher's randomisation of signs: were two models alike, each cluster's difference could as well have the
// other sign. For all pairs of models at once: what a flip gives two models is the difference of what it
// gives each.
class SignFlips {
 public:
  // `parts` [clusters, models]: what each cluster adds to a model's mean. All flips of up to 13 clusters,
  // 9999 drawn ones of more; the same for a seed on any number of threads.
  SignFlips(std::span<const double> parts, size_t models, uint64_t seed, int threads);

  // Two-sided, of the difference of means: the share of flips that give at least as much, among which the
  // draws count the observed one (Phipson and Smyth 2010).
  double p(size_t a, size_t b) const;
  bool exact() const { return exact_; }
  std::string name() const;

 private:
  size_t models_;
  bool exact_ = false;
  std::vector<double> observed_;  // [models]
  std::vector<double> flipped_;   // [flips, models]
};

// Holm (1979): p values of several tests, each so that rejecting what is below alpha has a chance of alpha
// for any false rejection. In the order given.
std::vector<double> holm(const std::vector<double>& p);

}  // namespace fathom
