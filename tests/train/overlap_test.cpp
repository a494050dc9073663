// Gradients that are reduced beside the last passes and weights that are gathered beside the next ones are,
// bit for bit, those of ranks that wait for each exchange where it can be made: whichever rank is late, and
// however small the pieces are in which a group travels.
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "base/rng.h"
#include "support/small_model.h"
#include "tensor/memory.h"
#include "train/on_ranks.h"
#include "train/pipeline_stage.h"
#include "train/trained_model.h"

namespace fathom::testing {
namespace {

enum class Exchanges { at_once, overlapped };

Config config() {
  Config c = v2_like();
  c.num_hidden_layers = 5;
  return c;
}

// The passes of one rank's micro-batches, its exchanges with others and its updates.
class Training {
 public:
  Training(Device& device, const ParallelPlan& plan, DType dtype, const CommLimits& limits,
           Exchanges exchanges, uint64_t seed)
      : device_(device),
        overlapped_(exchanges == Exchanges::overlapped),
        ranks_(&world(), device, plan, limits),
        trained_(device, ranks_, config(), dtype),
        stage_(device, trained_.model(), trained_.gradients(), ranks_.pipeline(), settings()),
        pauses_(seed, static_cast<uint64_t>(ranks_.rank())) {
    trained_.start(device, Recipe());
    if (overlapped_)
      trained_.model().before_layer = [this, wait = trained_.model().before_layer](int64_t layer) {
        pause();
        wait(layer);
      };
  }

  // Returns the squares of what this rank owns of the gradients.
  double step(int number) {
    const std::vector<PackedBatch> micro_batches = batches(number);
    PipelineStep s = {.micro_batches = micro_batches, .step = {}, .loss_scale = 0.05, .choices = {}};
    if (overlapped_) {
      s.layer_written = [this](int64_t layer) {
        pause();
        trained_.start_reducing(layer);
      };
      s.watch = [this](const PipelineTask&) { pause(); };
    }
    stage_.step(s);
    if (micro_batches.empty()) trained_.clear_gradients(device_);
    trained_.finish_gathering();
    trained_.reduce_gradients();
    const double squares = trained_.optimizer().sum_of_squares(device_);
    trained_.optimizer().update(device_, {}, 1e-2, 1, number + 1);
    trained_.start_gathering();
    if (!overlapped_) trained_.finish_gathering();
    return squares;
  }

  std::string weights() {
    trained_.finish_gathering();
    const Arena& memory = trained_.model().memory;
    return {reinterpret_cast<const char*>(memory.data()), static_cast<size_t>(memory.size())};
  }

 private:
  PipelineStage::Settings settings() {
    PipelineStage::Settings s = {.schedule = ScheduleKind::zb_h1,
                                 .largest = RandomBatch(config(), {5, 1, 4}).size(),
                                 .micro_batches = 3,
                                 .recompute = {.layers = 1}};
    if (ranks_.plan().expert > 1) s.experts = &ranks_.expert_group();
    return s;
  }
  // Of the same number on ranks that need each other's experts or layers, and of none on some.
  std::vector<PackedBatch> batches(int step) {
    const int rank = ranks_.rank(), group = ranks_.plan().expert_group_of(rank);
    std::vector<PackedBatch> all(group == 0 ? 3 : group == 1 ? 2 : 0);
    const auto replica = static_cast<uint64_t>(ranks_.plan().replica_of(rank));
    for (size_t m = 0; m < all.size(); ++m) {
      all[m].batch = RandomBatch(config(), {5, 1, 4}, 100 * replica + 10 * step + m).host();
      all[m].targets = all[m].batch.tokens;
    }
    return all;
  }
  void pause() {
    if (pauses_.below(6) == 0) std::this_thread::sleep_for(std::chrono::microseconds(pauses_.below(2000)));
  }

  Device& device_;
  const bool overlapped_;
  RankGroups ranks_;
  TrainedModel trained_;
  PipelineStage stage_;
  Rng pauses_;
};

TEST(Overlap, ChangesNoBit) {
  Device device = Device::cpu(1);
  const int n = world().size();
  for (const int stages : {1, 2})
    for (const int experts : {1, 2}) {
      if (n % (stages * experts) > 0) continue;
      const ParallelPlan plan = parallel_plan(config(), n, stages, experts);
      for (const DType dtype : {DType::f32, DType::bf16}) {
        Training plain(device, plan, dtype, {}, Exchanges::at_once, 0);
        std::vector<double> squares;
        for (int step = 0; step < 4; ++step) squares.push_back(plain.step(step));
        const std::string weights = plain.weights();
        for (const CommLimits& limits : {CommLimits{}, {.message_bytes = 200, .reduced_bytes = 72}}) {
          Training overlapped(device, plan, dtype, limits, Exchanges::overlapped, 3);
          for (int step = 0; step < 4; ++step) EXPECT_EQ(overlapped.step(step), squares[step]);
          EXPECT_TRUE(overlapped.weights() == weights)
              << stages << " stages, " << experts << " expert ranks, " << name_of(dtype);
        }
      }
    }
}

}  // namespace
}  // namespace fathom::testing
