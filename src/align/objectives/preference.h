// Direct preference optimization (Rafailov et al. 2023, eq. 7) and its kin: the loss of a pair of answers to
// one prompt from their summed log-probabilities under the policy and under a frozen reference. The sums are
// those over all tokens of an answer, whichever ranks or rows hold them, so at the start, where the policy is
// the reference, every sigmoid loss is ln 2.
#pragma once
#include <cstdint>
#include <string_view>

namespace fathom {

// With h = (chosen - reference_chosen) - (rejected - reference_rejected), the margin of the log-ratios, and s
// the label smoothing, the chance that a pair's labels are swapped:
enum class PreferenceForm {
  sigmoid,  // -(1 - s) log sigmoid(beta h) - s log sigmoid(-beta h): DPO, and conservative DPO where s > 0
  robust,  // ((1 - s) (-log sigmoid(beta h)) - s (-log sigmoid(-beta h))) / (1 - 2 s): without bias where the
           // labels are as noisy as s says (Chowdhury et al. 2024)
  ipo,     // (h - 1 / (2 beta))^2 (Azar et al. 2023, eq. 17)
  hinge,   // max(0, 1 - beta h) (SLiC)
};
inline constexpr PreferenceForm preference_forms[] = {PreferenceForm::sigmoid, PreferenceForm::robust,
                                                      PreferenceForm::ipo, PreferenceForm::hinge};
std::string_view name_of(PreferenceForm form);

struct PreferenceOptions {
  PreferenceForm form = PreferenceForm::sigmoid;
  double beta = 0.1;           // positive
  double label_smoothing = 0;  // 0 up to 1/2; only of sigmoid and robust
  // Each log-ratio is divided by its answer's tokens: the usual IPO, and SimPO's idea with a reference.
  bool per_token = false;
};
// Throws Error naming the option that is out of range.
void check_options(const PreferenceOptions& options);

// Natural logarithms, summed over the answer's tokens, its end token included. What is not finite gives a
// loss that is not finite.
struct PreferencePair {
  double chosen, rejected;                         // under the policy
  double reference_chosen, reference_rejected;     // under the reference
  int64_t chosen_tokens = 0, rejected_tokens = 0;  // positive where they are read: with per_token
};

struct PreferenceLoss {
  double loss;
  double dchosen, drejected;              // the loss's derivatives by the policy's two sums: of every token's
                                          // log-probability, too
  double chosen_reward, rejected_reward;  // implicit: beta times the log-ratio of the sums, whatever the form
  double margin() const { return chosen_reward - rejected_reward; }
  // 1 where the chosen answer has the higher implicit reward; a tie, as all pairs are at first, is half.
  double correct() const { return margin() > 0 ? 1 : margin() == 0 ? 0.5 : 0; }
};
// Of one pair; the caller divides by the pairs of the whole step. `options` are checked ones.
PreferenceLoss preference_loss(const PreferencePair& pair, const PreferenceOptions& options);

// Sums over pairs, which add over micro-batches and ranks.
struct PreferenceTotals {
  int64_t pairs = 0;
  double loss = 0, chosen_reward = 0, rejected_reward = 0, correct = 0;
  void add(const PreferenceLoss& pair);
  void add(const PreferenceTotals& other);
};

}  // namespace fathom
