// Ranks go back to a checkpoint together: whichever of them has the fault, and however they share the work.
#include <gmock/gmock.h>

#include <limits>
#include <span>

#include "faulty_memory.h"
#include "io/content_hash.h"
#include "support/captured_log.h"
#include "train/on_ranks.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

// As far as the number of ranks allows.
std::vector<Flags> plans() {
  std::vector<Flags> all = {{}};
  if (world().size() % 2 == 0)
    all.insert(all.end(), {{{"parallel.expert", "2"}}, {{"parallel.pipeline", "2"}}});
  if (world().size() == 4) all.push_back({{"parallel.expert", "2"}, {"parallel.pipeline", "2"}});
  return all;
}

std::string name_of(const Flags& plan) {
  std::string name;
  for (const auto& [key, value] : plan) name += " " + key + value;
  return name;
}

class RollBackOnRanks : public ::testing::Test {
 protected:
  ~RollBackOnRanks() override { world().from_rank_0(""); }  // its folders are there until all are done
  // Every rank has a micro-batch; data and output are where all ranks see them.
  Recipe recipe(const std::string& name, const Flags& flags) const {
    return small_.recipe(name, joined(flags, {{"batch.micro_batch", "1"},
                                              {"data.train", world().from_rank_0(small_.path("data"))},
                                              {"run.output", world().from_rank_0(small_.output(name))}}));
  }
  SmallRun small_;
};

std::string state_of(const Trainer& trainer) {
  std::string bytes = weight_bytes_of(trainer);
  for (const TensorSlice& s : trainer.optimizer().slices())
    bytes.append(static_cast<const char*>(s.values.data), static_cast<size_t>(s.values.bytes()));
  return content_hash(std::as_bytes(std::span(bytes)));
}

// The weights of the last rank, of the last stage, go wrong and stay wrong.
TEST_F(RollBackOnRanks, AFaultOfOneTakesAllBack) {
  const Flags flags = {{"anomaly.skip", "true"}, {"anomaly.rollback", "2"}};
  for (const Flags& plan : plans()) {
    const Recipe run = recipe("fault" + name_of(plan), joined(flags, plan));
    Trainer ranks(run, {}, {}, &world());
    for (int step = 1; step <= 3; ++step) ranks.step();
    const std::string checkpoint = ranks.save(), good = state_of(ranks);
    const double next = ranks.step().loss;
    if (world().rank() == world().size() - 1)
      fragile_element(ranks.model()) = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(ranks.step().reaction, Reaction::skip);
    const StepReport report = ranks.step();
    EXPECT_EQ(report.reaction, Reaction::roll_back);
    EXPECT_THAT(report.why, HasSubstr(fmt::format("rank {} on ", world().size() - 1)));
    ranks.roll_back(report);
    EXPECT_EQ(ranks.state().step, 3);
    EXPECT_EQ(state_of(ranks), good);

    Trainer resumed(run, checkpoint, {}, &world());
    EXPECT_EQ(resumed.state().rollbacks, ranks.state().rollbacks);
    for (int step = 4; step <= 6; ++step) {
      const StepReport got = ranks.step(), again = resumed.step();
      EXPECT_EQ(got.loss, again.loss);
      EXPECT_TRUE(step > 4 || got.loss != next) << "the order of the data is another one";
    }
    EXPECT_EQ(state_of(ranks), state_of(resumed));
  }
}

// Every step above the median of the last ones is flagged. Where ranks began to differ they would wait for
// one another for ever.
TEST_F(RollBackOnRanks, OneTooManyEndsAll) {
  const Flags eager = {{"anomaly.skip", "true"},  {"anomaly.window", "4"},   {"anomaly.deviations", "0"},
                       {"anomaly.rollback", "2"}, {"checkpoint.every", "3"}, {"anomaly.most_rollbacks", "2"}};
  for (const Flags& plan : plans()) {
    const Recipe run = recipe("eager" + name_of(plan), joined(eager, plan));
    const CapturedLog quiet;
    const std::string error = error_of([&] { train(run, {.on_profile = {}, .world = &world()}); });
    EXPECT_THAT(error, HasSubstr("rolled back 2 times"));
    world().check_same("the error", error);
  }
}

}  // namespace
}  // namespace fathom::testing
