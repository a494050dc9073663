// Rows packed into windows.
#include "align/row_windows.h"

#include <gmock/gmock.h>

#include <numeric>

#include "base/rng.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;

TEST(PackPieces, HoldsEachPieceOnceWithinTheRoom) {
  Rng rng(3);
  for (const int64_t room : {1, 7, 64, 1000}) {
    std::vector<int64_t> lengths;
    for (int i = 0; i < 500; ++i)
      lengths.push_back(1 + static_cast<int64_t>(rng.below(static_cast<uint64_t>(room))));
    const auto windows = pack_pieces(lengths, room);
    std::vector<int64_t> seen;
    for (const auto& window : windows) {
      int64_t length = 0;
      for (const int64_t piece : window) seen.push_back(piece), length += lengths[static_cast<size_t>(piece)];
      EXPECT_LE(length, room);
      EXPECT_TRUE(std::is_sorted(window.begin(), window.end()));
    }
    std::sort(seen.begin(), seen.end());
    std::vector<int64_t> all(lengths.size());
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
    // Best fit decreasing takes at most 11/9 of the fewest windows, and one more.
    const double fewest = std::ceil(static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), int64_t{0})) /
                                    static_cast<double>(room));
    EXPECT_LE(static_cast<double>(windows.size()), 11.0 / 9 * fewest + 1 + (room == 1 ? 0 : 0.05 * fewest));
  }
  EXPECT_TRUE(pack_pieces({}, 4).empty());
}

TEST(PackPieces, TakesTheFullestThatFits) {
  const std::vector<int64_t> lengths = {6, 3, 8, 2, 1};
  EXPECT_THAT(pack_pieces(lengths, 10), ElementsAre(ElementsAre(2, 3), ElementsAre(0, 1, 4)));
}

class RowWindowsTest : public ::testing::Test {
 protected:
  RowWindowsTest() {
    rows_.add({{{{1, 2, 3, 4}, {0, 0, 1, 1}}}});
    rows_.add({{{{5, 6}, {0, 1}}}});
    rows_.add({{{{7, 8, 9}, {1, 1, 0}}}});
  }
  Pieces rows_;
};

TEST_F(RowWindowsTest, EachRowIsASequenceOfItsOwn) {
  const RowWindows windows(rows_, {{0, 2}, {1}}, MeanOver::targets, 10);
  PackedBatch packed;
  const std::vector<int64_t> places = {1, 0};
  windows.pack(places, packed);
  EXPECT_THAT(packed.batch.tokens, ElementsAre(5, 1, 2, 3, 7, 8));
  EXPECT_THAT(packed.batch.positions, ElementsAre(0, 0, 1, 2, 0, 1));
  EXPECT_THAT(packed.batch.sequence_starts, ElementsAre(0, 1, 4, 6));
  EXPECT_THAT(packed.targets, ElementsAre(6, -100, 3, 4, 8, -100));
  EXPECT_THAT(packed.rows, ElementsAre(11, 10, 12));
  EXPECT_THAT(packed.batch.exempt, ElementsAre(0));
  EXPECT_TRUE(packed.weights.empty());
  EXPECT_EQ(packed.counted, 4);
  EXPECT_EQ(packed.weight, 4);
  const WindowSize a = windows.size(0);
  EXPECT_EQ(a.tokens, 5);
  EXPECT_EQ(a.targets, 3);
  EXPECT_EQ(a.weight, 3);
  windows.pack(places, packed);  // the same again
  EXPECT_EQ(packed.batch.tokens.size(), 6u);
}

TEST_F(RowWindowsTest, WeightsGoWithTheirTargets) {
  rows_.add({{{{3, 3, 3}, {0, 0.5, 0}}}});
  const RowWindows windows(rows_, {{1, 3}}, MeanOver::targets);
  PackedBatch packed;
  windows.pack(std::vector<int64_t>{0}, packed);
  EXPECT_THAT(packed.weights, ElementsAre(1, 0.5, 0));
  EXPECT_THAT(packed.targets, ElementsAre(6, 3, -100));
  EXPECT_EQ(packed.weight, 1.5);
}

// Both answers of a preference stay together, and the mean is over preferences.
TEST_F(RowWindowsTest, APieceMayHaveSeveralRows) {
  Pieces pairs;
  for (const double weight : {1.0, 0.25})
    pairs.add({{{{1, 2, 3}, {0, 1, 1}}, {{1, 4}, {0, 1}}}, {.weight = weight}});
  EXPECT_EQ(pairs.piece_inputs(1), 3);
  const RowWindows windows(pairs, {{0, 1}}, MeanOver::pieces);
  PackedBatch packed;
  windows.pack(std::vector<int64_t>{0}, packed);
  EXPECT_THAT(packed.rows, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(packed.batch.sequence_starts, ElementsAre(0, 2, 3, 5, 6));
  EXPECT_EQ(packed.weight, 1.25);
  EXPECT_TRUE(packed.weights.empty());
  const Pieces rest = pairs.split_off(1);
  EXPECT_EQ(pairs.count(), 1);
  EXPECT_EQ(rest.count(), 1);
  EXPECT_EQ(rest.label(0).weight, 0.25);
  EXPECT_EQ(rest.tokens(1)[1], 4);
}

TEST_F(RowWindowsTest, HashesTellRowsApart) {
  Pieces other;
  other.add({{{{1, 2, 3, 4}, {0, 0, 1, 1}}}});
  other.add({{{{5, 6}, {0, 1}}}});
  other.add({{{{7, 8, 9}, {1, 0, 0}}}});
  EXPECT_NE(other.hash(), rows_.hash());
  Pieces split;
  split.add({{{{1, 2}, {0, 0}}}});
  split.add({{{{3, 4, 5, 6}, {1, 1, 0, 1}}}});
  split.add({{{{7, 8, 9}, {1, 1, 0}}}});
  EXPECT_NE(split.hash(), rows_.hash());
}

}  // namespace
}  // namespace fathom
