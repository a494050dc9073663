// Sources in proportion to weights: which is read when, that each window is read once an epoch of its source,
// and that a resumed run goes on where it stood, with the same weights or others.
#include "train/mixture.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "small_run.h"
#include "train/loader.h"
#include "train/stream_windows.h"
#include "train/window_order.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int64_t> shares_of(const std::vector<double>& weights) {
  return mixture_shares(weights);
}

TEST(Mixture, OnlyTheProportionsOfWeightsCount) {
  EXPECT_THAT(shares_of({3, 1}), ElementsAre(3, 1));
  EXPECT_THAT(shares_of({0.75, 0.25}), ElementsAre(3, 1));
  EXPECT_THAT(shares_of({6e9, 2e9}), ElementsAre(3, 1));
  EXPECT_THAT(shares_of({1, 0, 2}), ElementsAre(1, 0, 2));
  EXPECT_THAT(shares_of({0, 0.1}), ElementsAre(0, 1));
  EXPECT_THAT(shares_of({1e-9, 1}), ElementsAre(1, 65536)) << "rare, but not never";
  EXPECT_EQ(error_of([] { shares_of({0, 0}); }), "no weight is above 0");
  EXPECT_EQ(error_of([] { shares_of({1, -2}); }), "a weight must be a number of at least 0, got -2");
}

TEST(Mixture, EverySourceIsWithinOneSampleOfItsShare) {
  const std::vector<int64_t> shares = {5, 3, 0, 2};
  const Mixture mixture(shares);
  std::vector<int64_t> counts(4);
  for (int64_t i = 0; i < 47; ++i) {
    EXPECT_EQ(mixture.taken(i), counts);
    const auto [source, number] = mixture(i);
    EXPECT_EQ(number, counts[source]++) << i;
    for (size_t s = 0; s < 4; ++s)
      EXPECT_LT(std::abs(static_cast<double>(counts[s]) - 0.1 * static_cast<double>(shares[s] * (i + 1))), 1);
  }
  // Far into a run it is as exact as at its start.
  const int64_t far = 4'000'000'000'000'000;
  EXPECT_THAT(mixture.taken(far), ElementsAre(far / 2, far / 10 * 3, 0, far / 5));
  EXPECT_EQ(mixture(far).source, mixture(0).source);
}

class Sources : public ::testing::Test {
 protected:
  Sources() {
    for (const auto& [name, documents, seed] : {std::tuple("a", 60, 3), {"b", 25, 4}, {"c", 40, 5}})
      write_corpus(small_.path(name), "train", documents, static_cast<uint64_t>(seed));
  }
  Recipe recipe(const std::string& out, const std::string& weights, const Flags& more = {}) const {
    const std::string folders =
        "[\"" + small_.path("a") + "\", \"" + small_.path("b") + "\", \"" + small_.path("c") + "\"]";
    return small_.recipe(
        out,
        joined({{"data.train", folders}, {"data.validation", small_.path("data")}, {"data.weights", weights}},
               more));
  }
  std::string resume_error(const std::string& weights, const std::vector<std::string>& changes) const {
    return error_of(
        [&] { Trainer(recipe("out", weights), *latest_checkpoint(small_.path("out")), changes); });
  }
  SmallRun small_;
};

TEST_F(Sources, EachWindowIsReadOnceAnEpochOfItsSource) {
  const Recipe r = recipe("out", "[1, 4, 0]");
  const TokenShards shards(r.data.train);
  const std::vector<WindowSource> sources = window_sources(r.data, shards);
  ASSERT_EQ(sources.size(), 3u);
  const TokenShards a({small_.path("a")}), b({small_.path("b")});
  EXPECT_EQ(sources[1].begin, a.tokens());
  EXPECT_EQ(sources[1].windows, window_count(b.tokens(), 24));
  const WindowOrder order(sources, mixture_start(r.data.weights), 24, 7);
  EXPECT_EQ(order.windows(), sources[0].windows + sources[1].windows);

  const int64_t n = sources[1].windows;
  std::vector<std::multiset<int64_t>> epochs(3);
  for (int64_t i = 0, of_b = 0; of_b < 3 * n; ++i) {
    const int64_t begin = order(i);
    if (begin < sources[1].begin) continue;
    ASSERT_LT(begin, sources[2].begin) << "c has no weight";
    epochs[static_cast<size_t>(of_b++ / n)].insert(begin);
  }
  for (const auto& epoch : epochs) {
    EXPECT_EQ(epoch, epochs[0]);
    EXPECT_EQ(std::set<int64_t>(epoch.begin(), epoch.end()).size(), static_cast<size_t>(n));
  }
}

TEST_F(Sources, OtherWeightsGoOnWhereEachSourceStands) {
  const Recipe r = recipe("out", "[1, 4, 0]");
  const std::vector<WindowSource> sources = window_sources(r.data, TokenShards(r.data.train));
  const MixtureStart first = mixture_start({1, 4, 0});
  EXPECT_EQ(mixture_start({2, 8, 0}, &first, 35).since, 0) << "the same proportions";
  const MixtureStart second = mixture_start({1, 1, 2}, &first, 35);
  EXPECT_EQ(second.since, 35);
  EXPECT_THAT(second.taken, ElementsAre(7, 28, 0));
  const MixtureStart third = mixture_start({1, 0, 0}, &second, 43);
  EXPECT_THAT(third.taken, ElementsAre(9, 30, 4));

  // What the second weights take of a source is what comes next there.
  const WindowOrder before(sources, first, 24, 7), after(sources, second, 24, 7);
  std::vector<int64_t> by_first, by_both;
  for (int64_t i = 0; by_first.size() < 12; ++i)
    if (before(i) < sources[1].begin) by_first.push_back(before(i));
  for (int64_t i = 0; by_both.size() < 12; ++i) {
    const int64_t begin = i < 35 ? before(i) : after(i);
    if (begin < sources[1].begin) by_both.push_back(begin);
  }
  EXPECT_EQ(by_both, by_first);
}

TEST_F(Sources, RanksReadTogetherWhatOneReads) {
  const Recipe r = recipe("out", "[1, 4, 2]");
  const StreamWindows stream(TokenShards(r.data.train), {24});
  const auto loader = [&](Share replica) {
    return std::make_unique<Loader>(
        stream, WindowOrder(window_sources(r.data, stream.shards()), mixture_start(r.data.weights), 24, 7),
        StepSizes{[](int64_t) { return 6; }, 1, replica}, 7, 0);
  };
  const auto one = loader({}), first = loader({0, 2}), second = loader({1, 2});
  for (int step = 0; step < 20; ++step) {
    const auto &all = one->next().batches, &even = first->next().batches, &odd = second->next().batches;
    for (size_t i = 0; i < 6; ++i)
      EXPECT_EQ((i % 2 ? odd : even)[i / 2].batch.tokens, all[i].batch.tokens) << step;
  }
}

TEST_F(Sources, AResumedRunIsBitForBitTheSame) {
  Trainer whole(recipe("whole", "[0.5, 0.25, 0.25]"));
  for (int i = 0; i < 7; ++i) whole.step();
  Trainer part(recipe("out", "[0.5, 0.25, 0.25]"));
  for (int i = 0; i < 3; ++i) part.step();
  Trainer resumed(recipe("out", "[0.5, 0.25, 0.25]"), part.save());
  for (int i = 0; i < 4; ++i) resumed.step();
  EXPECT_EQ(weight_bytes_of(resumed), weight_bytes_of(whole));
  EXPECT_THAT(resumed.order().taken(28), ElementsAre(14, 7, 7));
}

TEST_F(Sources, WeightsChangeOnRequest) {
  {
    Trainer trainer(recipe("out", "[1, 1, 2]"));
    trainer.step(), trainer.step(), trainer.save();
  }
  EXPECT_THAT(resume_error("[1, 1, 0]", {}),
              ::testing::AllOf(HasSubstr("data.weights = [1.0,1.0,2.0], now [1.0,1.0,0.0]"),
                               HasSubstr("--resume-with data.weights")));
  EXPECT_THAT(resume_error("[]", {"data.weights"}),
              HasSubstr("began with data.weights cannot go on without"));
  Trainer changed(recipe("out", "[1, 1, 0]"), *latest_checkpoint(small_.path("out")), {"data.weights"});
  changed.step(), changed.save();
  EXPECT_THAT(changed.order().taken(12), ElementsAre(4, 4, 4));
  Trainer again(recipe("out", "[1, 1, 0]"), *latest_checkpoint(small_.path("out")));
  EXPECT_EQ(again.state().mixture, changed.state().mixture);
}

TEST_F(Sources, BadOnesAreNamed) {
  const auto error = [&](const std::string& weights, const Flags& more = {}) {
    return error_of([&] { Trainer trainer(recipe("out", weights, more)); });
  };
  EXPECT_THAT(error("[1, 2]"), HasSubstr("data.weights has 2 numbers for 3 entries of data.train"));
  EXPECT_THAT(error("[0, 0, 0]"), HasSubstr("data.weights: none is above 0"));
  EXPECT_THAT(error("[1, 1, -1]"), HasSubstr("'data.weights' must be at least 0, got -1"));
  EXPECT_THAT(error("[1, 1, 1]", {{"data.validation_fraction", "0.1"}}),
              HasSubstr("data.validation_fraction"));
  write_documents(small_.path("b"), "train", {9}, 1);
  EXPECT_THAT(error("[1, 1, 1]"),
              HasSubstr(small_.path("b") +
                        ": has the weight 1, but its 9 tokens are too few for a sequence of 24 + 1"));
  EXPECT_EQ(error("[1, 0, 1]"), "");
  EXPECT_THAT(error_of([] {
                (MixtureStart{{1, 1}, 3, {1, 1}}).check_whole("x");
              }),
              HasSubstr("x: of 3 windows"));
}

}  // namespace
}  // namespace fathom
