// The policy alone: a stand-in for the model advances each scheduled sequence.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "support/temp_dir.h"

namespace fathom {
namespace {

class Policy : public ::testing::Test {
 protected:
  Sequence& add(Scheduler& scheduler, int64_t prompt, int64_t longest) {
    sequences_.push_back(std::make_unique<Sequence>());
    Sequence& s = *sequences_.back();
    s.id = static_cast<int64_t>(sequences_.size());
    s.tokens.assign(prompt, static_cast<int32_t>(s.id));  // different first tokens: nothing is shared
    s.prompt_length = prompt;
    s.longest = longest;
    scheduler.add(s);
    return s;
  }

  // A sequence of this prompt.
  Sequence& add(Scheduler& scheduler, const std::vector<int32_t>& prompt, int64_t longest) {
    Sequence& s = add(scheduler, static_cast<int64_t>(prompt.size()), longest);
    s.tokens = prompt;
    return s;
  }

  // What a step does; returns (id, tokens) in order.
  std::vector<std::pair<int64_t, int64_t>> step(Scheduler& scheduler, BlockManager* blocks = nullptr) {
    std::vector<std::pair<int64_t, int64_t>> ran;
    const std::vector<Scheduled> plan = scheduler.schedule();
    for (const Scheduled& p : plan) {
      Sequence& s = *p.sequence;
      ran.emplace_back(s.id, p.tokens);
      EXPECT_GT(p.tokens, 0);
      EXPECT_GE(static_cast<int64_t>(s.pages.size()) * page_size, s.cached + p.tokens);
      s.cached += p.tokens;
      if (blocks) blocks->publish(s, s.cached - p.tokens);
      if (s.pending() > 0) continue;
      s.tokens.push_back(0);
      if (s.length() == s.longest) scheduler.remove(s);
    }
    return ran;
  }

  using Plan = std::vector<std::pair<int64_t, int64_t>>;
  static constexpr int64_t page_size = 4;
  std::vector<std::unique_ptr<Sequence>> sequences_;
};

TEST_F(Policy, LongPromptsRunInChunksAlongWithDecoding) {
  BlockManager blocks(100, page_size);
  Scheduler scheduler(blocks, 4, 8);
  add(scheduler, 3, 20);
  EXPECT_EQ(step(scheduler), (Plan{{1, 3}}));
  add(scheduler, 17, 30);
  EXPECT_EQ(step(scheduler), (Plan{{1, 1}, {2, 7}}));
  EXPECT_EQ(step(scheduler), (Plan{{1, 1}, {2, 7}}));
  EXPECT_EQ(step(scheduler), (Plan{{1, 1}, {2, 3}}));
  EXPECT_EQ(step(scheduler), (Plan{{1, 1}, {2, 1}}));
}

TEST_F(Policy, SeveralPromptsShareTheBudget) {
  BlockManager blocks(100, page_size);
  Scheduler scheduler(blocks, 3, 10);
  for (int i = 0; i < 4; ++i) add(scheduler, 4, 10);
  EXPECT_EQ(step(scheduler), (Plan{{1, 4}, {2, 4}, {3, 2}}));
  EXPECT_EQ(step(scheduler), (Plan{{1, 1}, {2, 1}, {3, 2}}));
  EXPECT_EQ(scheduler.waiting(), 1) << "max_sequences";
}

TEST_F(Policy, APromptThatDoesNotFitKeepsItsPlaceInTheQueue) {
  BlockManager blocks(4, page_size);
  Scheduler scheduler(blocks, 4, 16);
  Sequence& first = add(scheduler, 8, 9);
  add(scheduler, 12, 13);
  add(scheduler, 1, 2);
  EXPECT_EQ(step(scheduler), (Plan{{1, 8}}));
  EXPECT_TRUE(first.pages.empty()) << "it has ended";
  EXPECT_EQ(step(scheduler), (Plan{{2, 12}, {3, 1}}));
}

TEST_F(Policy, TheYoungestGivesWayAndIsComputedAgain) {
  BlockManager blocks(4, page_size, /*share_prefixes=*/false);
  Scheduler scheduler(blocks, 4, 16);
  add(scheduler, 8, 14);
  Sequence& young = add(scheduler, 7, 12);
  EXPECT_EQ(step(scheduler), (Plan{{1, 8}, {2, 7}}));
  EXPECT_EQ(step(scheduler), (Plan{{1, 1}}));  // needs a third page
  EXPECT_EQ(young.cached, 0);
  EXPECT_EQ(scheduler.waiting(), 1);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(step(scheduler), (Plan{{1, 1}}));
  EXPECT_EQ(step(scheduler), (Plan{{2, 8}}));
}

TEST_F(Policy, EverySequenceEndsWhateverTheCache) {
  for (const int64_t pages : {8, 9, 13, 40}) {
    sequences_.clear();
    BlockManager blocks(pages, page_size);
    Scheduler scheduler(blocks, 5, 7);
    for (int64_t i = 0; i < 30; ++i) add(scheduler, 1 + i * 7 % 19, 32);
    int steps = 0;
    while (scheduler.running() + scheduler.waiting() > 0 && ++steps < 20000)
      ASSERT_FALSE(step(scheduler).empty());
    for (const auto& s : sequences_) EXPECT_EQ(s->length(), 32);
    EXPECT_EQ(blocks.free_pages(), pages);
  }
}

std::vector<int32_t> counting(int32_t first, int32_t n) {
  std::vector<int32_t> tokens(n);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// Ten tokens are two pages and a rest, which each computes for itself. Whoever begins otherwise does not
// wait.
TEST_F(Policy, OneOfAGroupComputesTheSharedPages) {
  BlockManager blocks(100, page_size);
  Scheduler scheduler(blocks, 5, 100);
  for (int i = 0; i < 3; ++i) add(scheduler, counting(7, 10), 20);
  for (int i = 0; i < 3; ++i) add(scheduler, counting(50, 9), 20);
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 10}, {4, 9}}));
  EXPECT_EQ(scheduler.waiting(), 4);
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 1}, {4, 1}, {2, 2}, {3, 2}, {5, 1}})) << "6 has no place";
  EXPECT_EQ(scheduler.waiting(), 1);
}

TEST_F(Policy, ThoseThatWaitKeepTheirPlaces) {
  BlockManager blocks(100, page_size);
  Scheduler scheduler(blocks, 3, 100);
  for (int i = 0; i < 3; ++i) add(scheduler, counting(7, 10), 20);
  add(scheduler, counting(50, 9), 20);
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 10}}));
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 1}, {2, 2}, {3, 2}}));
}

// Over several chunks; one that differs from the second page on waits for the first page alone.
TEST_F(Policy, ALongPromptIsWaitedForPageByPage) {
  BlockManager blocks(100, page_size);
  Scheduler scheduler(blocks, 4, 6);
  add(scheduler, counting(7, 17), 30);
  add(scheduler, counting(7, 17), 30);
  std::vector<int32_t> other = counting(7, 10);
  other[5] = 1;
  add(scheduler, other, 30);
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 6}}));
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 6}}));
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 5}, {3, 1}})) << "the budget is full before";
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 1}, {3, 5}}));
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 1}, {3, 1}, {2, 1}}));
}

TEST_F(Policy, NobodyWaitsForOneThatIsGoneOrWherePagesAreNotShared) {
  BlockManager blocks(100, page_size), unshared(100, page_size, /*share_prefixes=*/false);
  Scheduler scheduler(blocks, 4, 6), own(unshared, 4, 100);
  Sequence& first = add(scheduler, counting(7, 17), 30);
  add(scheduler, counting(7, 17), 30);
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{1, 6}}));
  scheduler.remove(first);
  EXPECT_EQ(step(scheduler, &blocks), (Plan{{2, 6}})) << "after the page that was there";
  for (int i = 0; i < 2; ++i) add(own, counting(7, 10), 20);
  EXPECT_EQ(step(own, &unshared), (Plan{{3, 10}, {4, 10}}));
}

TEST_F(Policy, EveryGroupEndsWhateverTheCache) {
  for (const int64_t pages : {8, 9, 13, 40})
    for (const int64_t budget : {5, 30}) {
      sequences_.clear();
      BlockManager blocks(pages, page_size);
      Scheduler scheduler(blocks, 5, budget);
      for (int32_t i = 0; i < 48; ++i) add(scheduler, counting(i / 8 * 3, 2 + i / 8 * 3), 32);
      int steps = 0;
      while (scheduler.running() + scheduler.waiting() > 0 && ++steps < 20000)
        ASSERT_FALSE(step(scheduler, &blocks).empty());
      for (const auto& s : sequences_) EXPECT_EQ(s->length(), 32);
      EXPECT_EQ(blocks.free_pages(), pages);
    }
}

TEST_F(Policy, RemoveWorksInEveryState) {
  BlockManager blocks(10, page_size);
  Scheduler scheduler(blocks, 1, 4);
  Sequence &running = add(scheduler, 9, 20), &waiting = add(scheduler, 9, 20);
  step(scheduler);
  scheduler.remove(running);
  scheduler.remove(waiting);
  EXPECT_EQ(blocks.free_pages(), 10);
  EXPECT_TRUE(step(scheduler).empty());
}

TEST_F(Policy, ImpossibleOptionsAreErrors) {
  BlockManager blocks(1, 1);
  EXPECT_NE(error_of([&] { Scheduler(blocks, 0, 4); }).find("max_sequences"), std::string::npos);
  EXPECT_NE(error_of([&] { Scheduler(blocks, 4, 3); }).find("budget"), std::string::npos);
  EXPECT_NE(error_of([&] { BlockManager(0, 4); }).find("pages"), std::string::npos);
}

}  // namespace
}  // namespace fathom
