#include "base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace fathom {
namespace {

const std::vector<std::string> flags = {"--max-tokens", "--min-p", "--top-p", "--top-k", "-p"};
const std::vector<std::string> keys = {"optimizer.lr", "optimizer.eps", "model.hidden_size",
                                       "schedule.steps"};

TEST(Nearest, TakesTheNameThatFewChangesGive) {
  EXPECT_EQ(nearest("--max-token", flags), "--max-tokens");
  EXPECT_EQ(nearest("--max_tokens", flags), "--max-tokens");
  EXPECT_EQ(nearest("--MAX-TOKENS", flags), "--max-tokens");
  EXPECT_EQ(nearest("--mxa-tokens", flags), "--max-tokens");
  EXPECT_EQ(nearest("--topk", flags), "--top-k");
  EXPECT_EQ(nearest("--frobnicate", flags), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(did_you_mean("--min-q", flags), ": did you mean --min-p?");
  EXPECT_EQ(did_you_mean("--frobnicate", flags), "");
}

TEST(Nearest, TheLastPartOfANameWithSectionsIsEnough) {
  EXPECT_EQ(nearest("lr", keys), "optimizer.lr");
  EXPECT_EQ(nearest("--hidden_sizes", keys), "model.hidden_size");
  EXPECT_EQ(nearest("optimiser.lr", keys), "optimizer.lr");
  EXPECT_EQ(nearest("schedule.step", keys), "schedule.steps");
}

}  // namespace
}  // namespace fathom
