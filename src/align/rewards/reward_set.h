// The rewards of a recipe together: every part of every answer, and their weighted sum.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "align/rewards/kinds.h"

namespace fathom {

// One answer's parts, in the order of the declarations.
struct AnswerReward {
  int64_t id = 0;
  std::optional<double>
      total;  // sum of weight * value; nothing when a part with a weight other than 0 is unscored
  std::vector<Score> parts;
};

// One part over a batch.
struct RewardPart {
  std::string name;
  double weight = 1;
  int64_t scored = 0, unscored = 0;
  double mean = 0;                         // of the scored; 0 without any
  std::map<std::string, int64_t> reasons;  // how often each was given, remarks on scores among them
};

struct RewardBatch {
  std::vector<AnswerReward> answers;  // in the order of the inputs
  std::vector<RewardPart> parts;
  int64_t unscored = 0;  // answers without a total
};

class RewardSet {
 public:
  // Error naming the declaration: a bad name or one given twice, an unknown kind, a weight that is not
  // finite, or what the kind has to say of its parameters. Commands are started here.
  explicit RewardSet(std::span<const RewardDeclaration> declarations,
                     const RewardKinds& kinds = reward_kinds());

  // Ids must be unique. Scores for other ids are left out, the first of two for an id counts, and values that
  // are not finite are none.
  RewardBatch score(std::span<const RewardInput> answers);

  // Of the parts, in order.
  std::vector<std::string> names() const;

 private:
  struct Member {
    std::string name;
    double weight;
    std::unique_ptr<Reward> reward;
  };
  std::vector<Member> members_;
};

}  // namespace fathom
