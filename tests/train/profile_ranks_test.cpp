// A profiled step on several ranks: what each waited for, and a rank that comes late.
#include <chrono>
#include <thread>

#include "train/on_ranks.h"
#include "train/rank_times.h"

namespace fathom {
namespace {

using namespace testing;
using Seconds = std::chrono::duration<double>;

// Every kind of exchange that so many ranks can have.
Flags plan() {
  const int ranks = world().size();
  return {{"parallel.pipeline", ranks == 4 ? "2" : "1"}, {"parallel.expert", ranks % 2 == 0 ? "2" : "1"}};
}

TEST(ProfiledStep, HasTheSameResult) {
  const SmallRun small;
  Trainer plain(small.recipe("out", plan()), {}, {}, &world());
  Trainer profiled(small.recipe("out", plan()), {}, {}, &world());
  for (int step = 0; step < 3; ++step) {
    Profile profile(profiled.device());
    const StepReport got = profiled.step(), want = plain.step();
    EXPECT_EQ(got.loss, want.loss) << step;
    EXPECT_EQ(got.grad_norm, want.grad_norm) << step;
    EXPECT_FALSE(profile.calls().empty());
  }
}

TEST(ProfiledStep, ALateRankIsTheOthersWait) {
  const SmallRun small;
  Trainer trainer(small.recipe("out", plan()), {}, {}, &world());
  trainer.step();
  const auto start = std::chrono::steady_clock::now();
  trainer.step();
  const double one_step = Seconds(std::chrono::steady_clock::now() - start).count();
  const double late = trainer.ranks().highest(std::max(0.2, 4 * one_step));

  Profile profile(trainer.device());
  if (world().rank() == 1) std::this_thread::sleep_for(Seconds(late));
  trainer.step();
  const std::vector<RankTimes> all = gather_times(trainer.ranks().everyone(), rank_times(profile));
  ASSERT_EQ(static_cast<int>(all.size()), world().size());
  for (int r = 0; r < world().size(); ++r) {
    const RankTimes& t = all[static_cast<size_t>(r)];
    EXPECT_GT(t.all.waited, r == 1 ? 0 : late / 2) << "rank " << r;
    EXPECT_GT(t.computing, 0);
    EXPECT_LE(t.computing + t.all.waited, t.step * (1 + 1e-9)) << "ops and waits take turns";
    double waited = 0;
    for (const ExchangeTimes& kind : t.kinds) waited += kind.waited;
    EXPECT_NEAR(waited, t.all.waited, 1e-9 * t.step) << "waits take turns";
    EXPECT_GT(t.of(ExchangeKind::weights).waited, 0);
    EXPECT_GT(t.of(ExchangeKind::gradients).waited, 0);
    EXPECT_GT(t.of(ExchangeKind::agreement).waited, 0);
    EXPECT_EQ(t.of(ExchangeKind::experts).sum() > 0, trainer.ranks().plan().expert > 1);
    EXPECT_EQ(t.of(ExchangeKind::pipeline).sum() > 0, trainer.ranks().plan().pipeline > 1);
  }
}

}  // namespace
}  // namespace fathom
