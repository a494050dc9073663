// What a reward model learns from its scores: pairs of answers (Bradley-Terry) or single answers with a
// label.
#pragma once
#include <cstdint>
#include <optional>

namespace fathom {

struct RewardPair {
  double chosen, rejected;  // scores
  double margin = 0;        // by how much the chosen one should be ahead; none in a tie
  bool tie = false;         // judged equally good: neither is really "chosen"
};

struct RewardPairLoss {
  double loss;
  double dchosen, drejected;  // by the two scores
  // 1 where the chosen answer scores higher, 1/2 where both score the same; nothing for a tie, which no order
  // of scores would get right. The margin plays no part.
  std::optional<double> correct;
};

// With d = chosen - rejected: -log sigmoid(d - margin), and in a tie the cross-entropy with the target 1/2,
// -1/2 log sigmoid(d) - 1/2 log sigmoid(-d). To it is added centring * (chosen + rejected)^2, which keeps
// scores near 0 (Eisenstein et al. 2023); differences alone do not say where they lie. One pair; the caller
// divides by the pairs of the whole step.
RewardPairLoss reward_pair_loss(const RewardPair& pair, double centring = 0);

enum class PointForm {
  binary,   // cross-entropy of sigmoid(score) with a label in [0, 1]
  squared,  // (score - label)^2
};

struct RewardPointLoss {
  double loss;
  double dscore;
  // binary only: 1 where the score is on the label's side of 0, 1/2 where it is 0; nothing for a label of
  // 1/2.
  std::optional<double> correct;
};

// One answer. Throws Error where a binary label is outside [0, 1].
RewardPointLoss reward_point_loss(double score, double label, PointForm form);

// Accuracy as sums, which add over micro-batches and ranks.
struct Agreement {
  int64_t judged = 0;  // without ties
  double correct = 0;
  void add(std::optional<double> one);
  void add(const Agreement& other);
  double share() const { return judged ? correct / static_cast<double>(judged) : 0; }
};

}  // namespace fathom
