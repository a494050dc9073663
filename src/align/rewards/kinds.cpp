#include "align/rewards/kinds.h"

#include "align/rewards/answer_reward.h"
#include "align/rewards/command_reward.h"
#include "align/rewards/format_reward.h"
#include "align/rewards/http_reward.h"
#include "align/rewards/length_reward.h"

namespace fathom {

RewardKinds reward_kinds() {
  return {{"exact", exact_reward},   {"math", math_reward},     {"math_strict", math_strict_reward},
          {"format", format_reward}, {"length", length_reward}, {"command", command_reward},
          {"http", http_reward}};
}

}  // namespace fathom
