// The order of windows, their packing, and that a loader continues where another one stopped.
#include "train/loader.h"

#include <gtest/gtest.h>

#include <set>

#include "small_run.h"
#include "train/shuffle.h"
#include "train/stream_windows.h"

namespace fathom {
namespace {

using namespace testing;

TEST(Shuffle, IsAPermutationOfAnySize) {
  for (int64_t n : {1, 2, 3, 4, 5, 17, 64, 65, 1000}) {
    const Shuffle shuffle(n, 5, 0);
    std::set<int64_t> seen;
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_GE(shuffle(i), 0);
      EXPECT_LT(shuffle(i), n);
      seen.insert(shuffle(i));
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), n);
  }
}

TEST(Shuffle, RoundsAndSeedsDiffer) {
  const int64_t n = 1000;
  const Shuffle a(n, 1, 0), b(n, 1, 1), c(n, 2, 0);
  int same_round = 0, same_seed = 0, fixed = 0;
  for (int64_t i = 0; i < n; ++i) same_round += a(i) == b(i), same_seed += a(i) == c(i), fixed += a(i) == i;
  EXPECT_LT(same_round, 12);  // one coincidence is expected
  EXPECT_LT(same_seed, 12);
  EXPECT_LT(fixed, 12);
}

TEST(Shuffle, ReachesEveryPlaceFromEveryPlace) {
  std::set<int64_t> firsts;
  for (uint64_t seed = 0; seed < 400; ++seed) firsts.insert(Shuffle(20, seed, 0)(0));
  EXPECT_EQ(firsts.size(), 20u);
}

TEST(Shuffle, WorksOnHugeData) {
  const int64_t n = int64_t{1} << 45;
  const Shuffle shuffle(n + 3, 1, 0);
  EXPECT_NE(shuffle(0), shuffle(n));
  EXPECT_LT(shuffle(n + 2), n + 3);
}

class LoaderTest : public ::testing::Test {
 protected:
  LoaderTest() : windows_((write_corpus(dir_ / "data", "train", 60, 1), stream({.sequence_length = 16}))) {}
  static StepSizes steps_of(int64_t windows) {
    return {.windows = [windows](int64_t) { return windows; }, .micro_batch = windows};
  }
  static WindowOrder order(int64_t windows) { return {windows, 16, 9}; }
  StreamWindows stream(Packing packing) const { return {TokenShards({dir_ / "data"}), packing}; }
  int64_t windows(int64_t T) const { return window_count(windows_.shards().tokens(), T); }

  PackedBatch packed(Packing packing, const std::vector<int64_t>& places) const {
    PackedBatch packed;
    stream(packing).pack(places, packed);
    return packed;
  }

  TempDir dir_;
  const StreamWindows windows_;  // of 16 tokens
};

TEST_F(LoaderTest, WindowsCoverTheStreamOnce) {
  EXPECT_EQ(window_count(11, 5), 2);
  EXPECT_EQ(window_count(10, 5), 1);  // the second window's last target is missing
  EXPECT_EQ(window_count(0, 5), 0);
}

TEST_F(LoaderTest, TargetsAreTheNextTokens) {
  const std::vector<int64_t> chosen = {21, 0};
  const PackedBatch packed = this->packed({.sequence_length = 7}, chosen);
  for (int64_t w = 0; w < 2; ++w)
    for (int64_t t = 0; t < 7; ++t) {
      EXPECT_EQ(packed.batch.tokens[w * 7 + t], windows_.shards().at(chosen[w] + t));
      EXPECT_EQ(packed.targets[w * 7 + t], windows_.shards().at(chosen[w] + t + 1));
      EXPECT_EQ(packed.batch.positions[w * 7 + t], t);
    }
  EXPECT_EQ(packed.batch.sequence_starts, (std::vector<int32_t>{0, 7, 14}));
}

TEST_F(LoaderTest, DocumentMaskBeginsASequenceAtEachDocument) {
  const PackedBatch packed = this->packed({.sequence_length = 60, .document_mask = true}, {0, 60, 120});
  std::set<int32_t> starts(packed.batch.sequence_starts.begin(), packed.batch.sequence_starts.end());
  EXPECT_GT(starts.size(), 5u);
  EXPECT_EQ(packed.batch.sequence_starts.front(), 0);
  EXPECT_EQ(packed.batch.sequence_starts.back(), 180);
  for (int32_t n = 0; n < 180; ++n) {
    const bool start = n % 60 == 0 || packed.batch.tokens[n] == small_bos;
    EXPECT_EQ(starts.contains(n), start) << n;
    EXPECT_EQ(packed.batch.positions[n], start ? 0 : packed.batch.positions[n - 1] + 1);
  }
}

TEST_F(LoaderTest, AnEpochReadsEveryWindowOnce) {
  const int64_t n = windows(16);
  Loader loader(windows_, order(n), steps_of(1), 9, 0);
  std::multiset<std::vector<int32_t>> read, all;
  for (int64_t i = 0; i < n; ++i) {
    read.insert(loader.next().batches[0].batch.tokens);
    all.insert(packed({.sequence_length = 16}, {i * 16}).batch.tokens);
  }
  EXPECT_EQ(read, all);
  EXPECT_EQ(loader.windows_read(), n);
}

// The same windows in the same order, whatever the micro-batch; the last one takes what is left of the step.
TEST_F(LoaderTest, AStepFallsIntoMicroBatches) {
  const auto growing = [](int64_t read) { return read < 10 ? 3 : 5; };
  Loader whole(windows_, order(windows(16)), {growing, 100}, 9, 0),
      split(windows_, order(windows(16)), {growing, 2}, 9, 0);
  for (const size_t size : {3, 3, 3, 3, 5, 5}) {
    const PackedStep &one = whole.next(), &parts = split.next();
    ASSERT_EQ(one.batches.size(), 1u);
    ASSERT_EQ(parts.batches.size(), (size + 1) / 2);
    std::vector<int32_t> tokens;
    for (const PackedBatch& part : parts.batches)
      tokens.insert(tokens.end(), part.batch.tokens.begin(), part.batch.tokens.end());
    EXPECT_EQ(tokens.size(), size * 16);
    EXPECT_EQ(tokens, one.batches[0].batch.tokens);
    EXPECT_EQ(whole.windows_read(), split.windows_read());
  }
}

TEST_F(LoaderTest, GoesOnWhereAnotherStopped) {
  const int64_t n = windows(16);
  Loader whole(windows_, order(n), steps_of(4), 9, 0);
  for (int64_t i = 0; i < n / 4 + 3; ++i) {  // past the first epoch
    Loader part(windows_, order(n), steps_of(4), 9, whole.windows_read());
    EXPECT_EQ(part.next().batches[0].batch.tokens, whole.next().batches[0].batch.tokens);
  }
}

}  // namespace
}  // namespace fathom
