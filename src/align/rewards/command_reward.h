// Rewards from a program of the user's, kept running: it reads one JSON object a line and writes one for each
// (align/rewards/wire.h), in any order. A batch is written while the scores are read.
//
// It fails when it ends, gives no score for too long, or writes what cannot be scores (a line over 1 MiB,
// 1000 lines that are none). It is then ended and started anew with the answers that are left; the oldest of
// them is unscored, since it is most likely the one that the program failed on. After so many restarts in a
// batch the rest of the batch is unscored; the next batch starts afresh.
#pragma once
#include <memory>

#include "align/rewards/declaration.h"
#include "align/rewards/reward.h"

namespace fathom {

// Parameters: command (a list: the program and its arguments), timeout, start_timeout, batch_timeout,
// restarts. Starts the program; Error when that fails.
std::unique_ptr<Reward> command_reward(const RewardDeclaration& declaration);

}  // namespace fathom
