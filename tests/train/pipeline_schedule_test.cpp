// The schedules against the bubbles that "Zero Bubble Pipeline Parallelism" (Qi et al. 2023, table 1) states,
// and the checks of what cannot run.
#include "train/pipeline_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/temp_dir.h"
#include "train/pipeline_timeline.h"

namespace fathom {
namespace {

PipelineCosts equal_costs(int stages, PassTimes times = {}, double send = 0) {
  return {.stages = std::vector<PassTimes>(static_cast<size_t>(stages), times), .send = send};
}
double most(const std::vector<double>& x) {
  return *std::max_element(x.begin(), x.end());
}
double work(const PassTimes& t, int micro_batches) {
  return micro_batches * (t.forward + t.input_gradient + t.weight_gradient);
}

TEST(PipelineSchedule, OneStageHasNoBubble) {
  for (const int micro_batches : {1, 5}) {
    const PipelineCosts costs = equal_costs(1, {2, 3, 4});
    for (const PipelineSchedule& schedule :
         {one_forward_one_backward(1, micro_batches), zero_bubble(costs, micro_batches, 1)}) {
      const PipelineTimeline t = time_schedule(costs, schedule);
      EXPECT_DOUBLE_EQ(t.step, work({2, 3, 4}, micro_batches));
      EXPECT_NEAR(t.bubble, 0, 1e-12);
    }
  }
}

// Weight gradients are off the path between stages here, so that 1F1B waits (p - 1) (F + B).
TEST(PipelineSchedule, OneForwardOneBackward) {
  for (const int stages : {2, 4, 7})
    for (const int micro_batches : {stages, 3 * stages + 1}) {
      const PassTimes times{1, 1.5, 0.5};
      const PipelineTimeline t =
          time_schedule(equal_costs(stages, times), one_forward_one_backward(stages, micro_batches));
      EXPECT_NEAR(t.step - work(times, micro_batches), (stages - 1) * 2.5, 1e-9);
      for (int s = 0; s < stages; ++s) EXPECT_LE(t.peak_activations[static_cast<size_t>(s)], stages - s);
    }
}

TEST(PipelineSchedule, FewerMicroBatchesThanStages) {
  for (const int micro_batches : {1, 2, 3}) {
    const PipelineCosts costs = equal_costs(4, {}, 0.25);
    EXPECT_GT(time_schedule(costs, one_forward_one_backward(4, micro_batches)).step, 0);
    EXPECT_GT(time_schedule(costs, zero_bubble(costs, micro_batches, 8)).step, 0);
  }
}

// (p - 1) (F + B - W) with the activations of p micro-batches; none with twice as many, when the stages need
// not wait for one another at the end of the step, and else only what it takes the last stage to begin.
TEST(PipelineSchedule, ZeroBubbleOfEqualPasses) {
  for (const int stages : {2, 4, 8, 16}) {
    const int micro_batches = 3 * stages;
    const PipelineCosts costs = equal_costs(stages);
    const PipelineTimeline h1 = time_schedule(costs, zero_bubble(costs, micro_batches, stages));
    EXPECT_NEAR(h1.step - 3 * micro_batches, stages - 1, 1e-9) << stages;
    EXPECT_LE(most(h1.peak_activations), stages + 1e-9);
    const PipelineTimeline twice = time_schedule(costs, zero_bubble(costs, micro_batches, 2 * stages));
    EXPECT_NEAR(twice.period, 3 * micro_batches, 1e-9) << stages;
    EXPECT_NEAR(twice.step - 3 * micro_batches, stages - 1, 1e-9) << stages;
    EXPECT_LE(most(twice.peak_activations), 2 * stages + 1e-9);
  }
}

// 1F1B holds stages - s micro-batches, one of them between input gradient and weight gradient. Zero bubble
// holds no more than it may, and no more for a longer step.
TEST(PipelineSchedule, MicroBatchesInFlight) {
  const int stages = 4;
  PipelineCosts costs = equal_costs(stages);
  costs.kept = 1;
  for (size_t s = 0; s < stages; ++s) {
    const auto most = [&](ScheduleKind kind, int micro_batches) {
      return in_flight(pipeline_schedule(kind, costs, micro_batches)[s]);
    };
    EXPECT_EQ(most(ScheduleKind::one_f_one_b, 9).kept, stages - static_cast<int>(s));
    EXPECT_EQ(most(ScheduleKind::one_f_one_b, 9).deferred, 1);
    EXPECT_EQ(most(ScheduleKind::one_f_one_b, 1).kept, 1);
    for (const auto& [kind, limit] :
         {std::pair{ScheduleKind::zb_h1, stages}, {ScheduleKind::zb_2p, 2 * stages}}) {
      const MicroBatchesInFlight some = most(kind, 24), many = most(kind, 96);
      EXPECT_LE(many.kept, limit);
      EXPECT_LE(many.deferred, many.kept);
      EXPECT_EQ(some.kept, many.kept);
      EXPECT_EQ(some.deferred, many.deferred);
    }
  }
}

TEST(PipelineSchedule, ZeroBubbleIsNeverSlower) {
  for (const PassTimes& times : {PassTimes{1, 1.2, 0.8}, {1, 1.6, 0.7}, {1, 0.9, 1.3}})
    for (const double send : {0.0, 0.1, 0.5})
      for (const int stages : {2, 3, 8}) {
        const int micro_batches = 2 * stages + 3;
        PipelineCosts costs = equal_costs(stages, times, send);
        costs.stages.back().forward *= 1.5;  // the head
        const double before = time_schedule(costs, one_forward_one_backward(stages, micro_batches)).step;
        const double h1 = time_schedule(costs, zero_bubble(costs, micro_batches, stages)).step,
                     twice = time_schedule(costs, zero_bubble(costs, micro_batches, 2 * stages)).step;
        EXPECT_LE(h1, before + 1e-9);
        EXPECT_LE(twice, h1 + 1e-9);
      }
}

TEST(PipelineSchedule, PeaksCountWhatWeightGradientsKeep) {
  PipelineCosts costs = equal_costs(2);
  using enum PipelinePass;
  const PipelineSchedule deferred = {{{forward, 0},
                                      {forward, 1},
                                      {input_gradient, 0},
                                      {input_gradient, 1},
                                      {weight_gradient, 0},
                                      {weight_gradient, 1}},
                                     {{forward, 0},
                                      {input_gradient, 0},
                                      {forward, 1},
                                      {input_gradient, 1},
                                      {weight_gradient, 1},
                                      {weight_gradient, 0}}};
  costs.kept = 0.25;
  const PipelineTimeline t = time_schedule(costs, deferred);
  EXPECT_DOUBLE_EQ(t.peak_activations[0], 2);
  EXPECT_DOUBLE_EQ(t.peak_activations[1], 1.25);
}

TEST(PipelineSchedule, WhatCannotRunIsNamed) {
  using enum PipelinePass;
  const auto time = [](const PipelineSchedule& s) {
    time_schedule(equal_costs(static_cast<int>(s.size())), s);
  };
  const std::vector<PipelineTask> good = {{forward, 0}, {input_gradient, 0}, {weight_gradient, 0}};
  time({good, good});
  EXPECT_NE(error_of([&] {
              time({{{forward, 0}, {weight_gradient, 0}, {input_gradient, 0}}});
            }).find("stage 0: the weight gradient of micro-batch 0 comes before what it needs"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              time({good, {{forward, 0}, {forward, 0}, {input_gradient, 0}}});
            }).find("stage 1: the forward of micro-batch 0 comes twice"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              time({good, {{forward, 0}, {input_gradient, 0}}});
            }).find("stage 1: the weight gradient of micro-batch 0 is missing"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              time({good, {{forward, 1}, {input_gradient, 0}, {weight_gradient, 0}}});
            }).find("stage 1: there is no micro-batch 1"),
            std::string::npos);
  // The first stage wants a gradient before the second has what it makes it from.
  const std::vector<PipelineTask> one_by_one = {{forward, 0}, {input_gradient, 0}, {weight_gradient, 0},
                                                {forward, 1}, {input_gradient, 1}, {weight_gradient, 1}},
                                  both_first = {{forward, 1},         {forward, 0},
                                                {input_gradient, 1},  {input_gradient, 0},
                                                {weight_gradient, 0}, {weight_gradient, 1}};
  EXPECT_NE(error_of([&] {
              time({one_by_one, both_first});
            }).find("wait for one another"),
            std::string::npos);
  EXPECT_NE(error_of([&] { time_schedule(equal_costs(3), {good}); }).find("1 stages, the costs 3"),
            std::string::npos);
  EXPECT_NE(error_of([&] { zero_bubble(equal_costs(2), 4, 0.5); }).find("at least one micro-batch"),
            std::string::npos);
}

TEST(PipelineSchedule, ThePictureShowsEveryPass) {
  const PipelineCosts costs = equal_costs(3);
  const std::string svg =
      draw_timeline(time_schedule(costs, zero_bubble(costs, 4, 6)), "three <stages> & four");
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("three &lt;stages&gt; &amp; four"), std::string::npos);
  size_t boxes = 0;
  for (size_t at = svg.find("<rect x="); at != std::string::npos; at = svg.find("<rect x=", at + 1)) ++boxes;
  EXPECT_EQ(boxes, 3 * 3 * 4 + 3u);  // and the legend
}

}  // namespace
}  // namespace fathom
