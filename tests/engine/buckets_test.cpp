#include "engine/buckets.h"

#include <gtest/gtest.h>

#include <set>

namespace fathom {
namespace {

TEST(SequenceBucket, IsExactForFewAndHoldsLittlePadding) {
  for (int64_t n = 1; n <= 8; ++n) EXPECT_EQ(sequence_bucket(n, 1000), n);
  EXPECT_EQ(sequence_bucket(9, 1000), 10);
  EXPECT_EQ(sequence_bucket(10, 1000), 10);
  EXPECT_EQ(sequence_bucket(11, 1000), 12);
  EXPECT_EQ(sequence_bucket(33, 1000), 40);
  EXPECT_EQ(sequence_bucket(256, 1000), 256);
  std::set<int64_t> buckets;
  for (int64_t n = 1; n <= 256; ++n) {
    const int64_t bucket = sequence_bucket(n, 1000);
    EXPECT_GE(bucket, n);
    EXPECT_LT(5 * (bucket - n), bucket) << n;
    buckets.insert(bucket);
  }
  EXPECT_EQ(buckets.size(), 8u + 5 * 4);
}

TEST(SequenceBucket, IsNeverMoreThanTheMost) {
  EXPECT_EQ(sequence_bucket(33, 36), 36);
  EXPECT_EQ(sequence_bucket(36, 36), 36);
}

TEST(PageBucket, IsAPowerOfTwo) {
  EXPECT_EQ(page_bucket(1, 1000), 16);
  EXPECT_EQ(page_bucket(16, 1000), 16);
  EXPECT_EQ(page_bucket(17, 1000), 32);
  EXPECT_EQ(page_bucket(513, 1000), 1000);
  EXPECT_EQ(page_bucket(3, 5), 5);
}

}  // namespace
}  // namespace fathom
