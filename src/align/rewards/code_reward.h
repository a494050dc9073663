// The reward kind `code`: unit tests of the program in an answer, run in the sandbox (docs/sandbox.md). The row has
// the tests, in one of these forms:
//   test, entry_point                         as HumanEval: test defines check(candidate)
//   test_list, test_imports, test_setup_code  as MBPP: asserts
//   cases                                     a list of input and output
#pragma once
#include <memory>

#include "align/rewards/declaration.h"
#include "align/rewards/reward.h"

namespace fathom {

// Parameters: language (python or cpp), whole_text (an answer without a code block is a program), share (the
// part of the tests that passed, instead of 1 for all and 0 otherwise), workers, seconds, memory_mb,
// allow_weak. An answer without a program scores 0; one whose tests cannot be run is unscored. Error where
// this machine cannot hold programs back, unless allow_weak.
std::unique_ptr<Reward> code_reward(const RewardDeclaration& declaration);

}  // namespace fathom
