// What a Profile is told of collectives, and what brings the profiles of ranks together.
#include "tensor/profile.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "comm/agreement.h"
#include "comm/clock_offset.h"
#include "comm/ranks.h"

namespace fathom::testing {
namespace {

class CommProfileTest : public Ranks {
 protected:
  // One of each kind. With two ranks or more the last sends to the first.
  void run_all() {
    const Tensor x = filled<float>({40}, 1), all = filled<float>({40 * size()}, 2);
    const std::vector<int64_t> rows(size(), 40);
    const Tensor sent = filled<float>({40 * size()}, 3);
    comm().run(AllReduce{.x = x});
    comm().run(ReduceScatter{.out = x, .in = all});
    comm().run(AllGather{.out = all, .in = x});
    comm().run(AllToAll{.out = all, .out_rows = rows, .in = sent, .in_rows = rows});
    comm().run(Broadcast{.x = x});
    if (size() > 1 && rank() == 0) comm().run(Receive{.x = x, .from = size() - 1});
    if (size() > 1 && rank() == size() - 1) comm().run(Send{.x = x, .to = 0});
  }
  std::vector<std::string> expected_names() const {
    if (size() == 1) return {};
    std::vector<std::string> names = {"all-reduce", "reduce-scatter", "all-gather", "all-to-all",
                                      "broadcast"};
    if (rank() == 0) names.push_back("receive");
    if (rank() == size() - 1) names.push_back("send");
    return names;
  }
};

TEST_P(CommProfileTest, IsToldOfEveryCollective) {
  run_all();  // before: of nothing
  Profile profile(device());
  run_all();
  profile.stop();
  run_all();
  std::vector<std::string> names;
  for (const Profile::Transfer& t : profile.transfers()) names.push_back(t.collective);
  EXPECT_EQ(names, expected_names());
  // Started and waited for, one after the other, each within its transfer's time.
  ASSERT_EQ(profile.waits().size(), 2 * names.size());
  double end = 0;
  for (size_t i = 0; i < profile.waits().size(); ++i) {
    const Profile::Wait& w = profile.waits()[i];
    EXPECT_EQ(w.collective, names[i / 2]);
    EXPECT_GE(w.begin, end);
    EXPECT_GE(w.seconds, 0);
    end = w.begin + w.seconds;
  }
  EXPECT_LE(end, profile.seconds());
  for (const Profile::Transfer& t : profile.transfers()) EXPECT_GE(t.seconds, 0) << t.collective;
}

TEST_P(CommProfileTest, ABytesCountIsThatOfTheTensor) {
  if (size() == 1) GTEST_SKIP() << "one process sends nothing; comm_test runs this on several ranks";
  const Tensor x = filled<float>({123}, 1);
  Profile profile(device());
  comm().run(AllReduce{.x = x});
  ASSERT_EQ(profile.transfers().size(), 1u);
  EXPECT_EQ(profile.transfers()[0].bytes, 123 * 4);
}

// As weights that are gathered from the end of a step on.
TEST_P(CommProfileTest, WhatWasUnderWayAtARestartBeganBefore) {
  if (size() == 1) GTEST_SKIP() << "one process sends nothing; comm_test runs this on several ranks";
  const Tensor x = filled<float>({100}, 1);
  Profile profile(device());
  Pending pending = comm().start(AllReduce{.x = x});
  profile.restart();
  pending.wait();
  ASSERT_EQ(profile.waits().size(), 1u);
  ASSERT_EQ(profile.transfers().size(), 1u);
  EXPECT_LT(profile.transfers()[0].begin, 0);
}

TEST_P(CommProfileTest, WhatWasStartedForAnotherProfileIsTimedByItsWait) {
  if (size() == 1) GTEST_SKIP() << "one process sends nothing; comm_test runs this on several ranks";
  const Tensor x = filled<float>({100}, 1);
  std::optional<Profile> profile(std::in_place, device());
  Pending pending = comm().start(AllReduce{.x = x});
  profile.reset();
  profile.emplace(device());
  pending.wait();
  ASSERT_EQ(profile->transfers().size(), 1u);
  if (!on_host()) {
    EXPECT_EQ(profile->transfers()[0].begin, profile->waits()[0].begin);
  }
  EXPECT_LE(profile->transfers()[0].begin + profile->transfers()[0].seconds, profile->seconds());
}

// The others cannot be done before it comes.
TEST_P(CommProfileTest, ALateRankIsTheOthersWait) {
  if (size() == 1) GTEST_SKIP() << "one process waits for nobody; comm_test runs this on several ranks";
  constexpr double late = 0.2;
  const Tensor x = filled<float>({100}, 1);
  comm().barrier();
  Profile profile(device());
  if (rank() == 1) std::this_thread::sleep_for(std::chrono::duration<double>(late));
  comm().run(AllReduce{.x = x});
  double waited = 0;
  for (const Profile::Wait& w : profile.waits()) waited += w.seconds;
  EXPECT_GT(waited, rank() == 1 ? 0 : late / 2);
}

TEST_P(CommProfileTest, ClocksThatAreApartAreBroughtTogether) {
  const double apart = 1000.5 * rank();
  const ClockOffset offset = clock_offset(comm(), [&] { return steady_seconds() + apart; });
  // All ranks of the test are on one host: but for the shift their clocks are one.
  EXPECT_NEAR(offset.seconds, -apart, offset.error + 1e-6);
  EXPECT_EQ(offset.error > 0, rank() > 0);
  EXPECT_LT(offset.error, 60);
}

TEST_P(CommProfileTest, TextsComePieceByPiece) {
  const size_t longer_than_a_piece = GetParam().limits.message_bytes < 100 ? 3001 : 3000001;
  const auto text_of = [=](int rank) {
    const size_t lengths[] = {5, longer_than_a_piece, 0, 4};
    std::string text(lengths[rank % 4], ' ');
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + (i * 7 + rank) % 26);
    return text;
  };
  std::vector<std::string> got(size());
  size_t longest = 0;
  int last = 0;
  pass_texts(comm(), text_of(rank()), [&](int from, std::string_view piece) {
    EXPECT_GE(from, last);
    last = from;
    got[from] += piece;
    if (from > 0) longest = std::max(longest, piece.size());
  });
  EXPECT_LE(longest, size_t{1} << 20);
  for (int r = 0; r < size(); ++r) EXPECT_TRUE(got[r] == (rank() == 0 ? text_of(r) : "")) << r;
}

FATHOM_ON_ALL_MEMORIES(CommProfileTest);

}  // namespace
}  // namespace fathom::testing
