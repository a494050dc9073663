// The paper's plateaus (section 3.1.2) and the batch ramp.
#include "train/schedule.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

constexpr int64_t trillion = 1'000'000'000'000, billion = 1'000'000'000;

Recipe v2() {
  Recipe r;
  r.optimizer.lr = 2.4e-4;
  r.schedule.tokens = 8'100 * billion;
  r.schedule.warmup_steps = 2000;
  r.schedule.decay = Decay::step;
  r.schedule.decay_at = {0.6, 0.9};
  r.batch = {.sequences = 9216, .micro_batch = 1, .ramp_from = 2304, .ramp_tokens = 225 * billion};
  return r;
}

TEST(Schedule, WarmUpIsLinear) {
  const Recipe r = v2();
  EXPECT_DOUBLE_EQ(learning_rate(r, {0, 0}), 2.4e-4 / 2000);
  EXPECT_DOUBLE_EQ(learning_rate(r, {999, 0}), 1.2e-4);
  EXPECT_DOUBLE_EQ(learning_rate(r, {1999, 0}), 2.4e-4);
  EXPECT_DOUBLE_EQ(learning_rate(r, {2000, 0}), 2.4e-4);
}

TEST(Schedule, PlateausOfThePaper) {
  const Recipe r = v2();
  EXPECT_DOUBLE_EQ(learning_rate(r, {100'000, 4'859 * billion}), 2.4e-4);
  EXPECT_NEAR(learning_rate(r, {100'000, 4'860 * billion}), 7.584e-5, 1e-12);
  EXPECT_NEAR(learning_rate(r, {100'000, 7'289 * billion}), 7.584e-5, 1e-12);
  EXPECT_NEAR(learning_rate(r, {100'000, 7'290 * billion}), 2.397e-5, 1e-8);
  EXPECT_NEAR(learning_rate(r, {100'000, 8'100 * billion}), 2.397e-5, 1e-8);
}

TEST(Schedule, LiteDecaysLater) {
  Recipe r;
  r.optimizer.lr = 4.2e-4;
  r.schedule.tokens = 5'700 * billion;
  r.schedule.decay = Decay::step;
  r.schedule.decay_at = {0.8, 0.9};
  EXPECT_DOUBLE_EQ(learning_rate(r, {3000, 4 * trillion}), 4.2e-4);
  EXPECT_NEAR(learning_rate(r, {3000, 4'560 * billion}), 1.327e-4, 1e-7);
  EXPECT_NEAR(learning_rate(r, {3000, 5'130 * billion}), 4.194e-5, 1e-8);
}

TEST(Schedule, CosineGoesFromLrToItsEnd) {
  Recipe r;
  r.optimizer.lr = 1;
  r.schedule.steps = 110;
  r.schedule.warmup_steps = 10;
  r.schedule.decay = Decay::cosine;
  r.schedule.final_factor = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate(r, {10, 0}), 1);
  EXPECT_NEAR(learning_rate(r, {60, 0}), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(r, {110, 0}), 0.1, 1e-12);
}

TEST(Schedule, EndsInStepsTokensOrEpochs) {
  Recipe steps, tokens, epochs;
  steps.schedule.steps = 3;
  tokens.schedule.tokens = 100;
  epochs.run.epochs = 1.5;
  EXPECT_FALSE(run_finished(epochs, {9, 900, 1.4}));
  EXPECT_TRUE(run_finished(epochs, {1, 1, 1.5}));
  EXPECT_DOUBLE_EQ(run_progress(epochs, {1, 1, 0.75}), 0.5);
  EXPECT_FALSE(run_finished(steps, {2, 1000}));
  EXPECT_TRUE(run_finished(steps, {3, 0}));
  EXPECT_FALSE(run_finished(tokens, {50, 99}));
  EXPECT_TRUE(run_finished(tokens, {50, 100}));
}

TEST(Schedule, BatchRampsFromTheFirstSizeToTheLast) {
  const Recipe::Batch b = v2().batch;
  EXPECT_EQ(batch_sequences(b, 0), 2304);
  EXPECT_EQ(batch_sequences(b, 225 * billion / 2), (2304 + 9216) / 2);
  EXPECT_EQ(batch_sequences(b, 225 * billion - 1), 9215);
  EXPECT_EQ(batch_sequences(b, 225 * billion), 9216);
  EXPECT_EQ(batch_sequences(b, 8 * trillion), 9216);
}

// And does not depend on the micro-batch.
TEST(Schedule, BatchOnlyGrows) {
  const Recipe::Batch b = {.sequences = 30, .micro_batch = 3, .ramp_from = 6, .ramp_tokens = 1000},
                      other = {.sequences = 30, .micro_batch = 1, .ramp_from = 6, .ramp_tokens = 1000};
  int64_t last = 0;
  for (int64_t tokens = 0; tokens <= 1000; ++tokens) {
    const int64_t n = batch_sequences(b, tokens);
    EXPECT_GE(n, std::max<int64_t>(last, 6));
    EXPECT_EQ(n, batch_sequences(other, tokens));
    last = n;
  }
  EXPECT_EQ(last, 30);
  EXPECT_EQ(batch_sequences({.sequences = 8}, 0), 8);
}

}  // namespace
}  // namespace fathom
