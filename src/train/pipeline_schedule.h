// Pipeline schedules as data: what each stage does, in order. Made by pure functions, checked and timed by
// pipeline_timeline.h. The backward pass is split into input gradients, which the stage before waits for, and
// weight gradients, which nobody waits for and which fill the gaps. Source: "Zero Bubble Pipeline
// Parallelism" (Qi et al. 2023), which the paper's 16-way pipeline uses (section 3.1.3).
#pragma once
#include <array>
#include <vector>

namespace fathom {

enum class PipelinePass { forward, input_gradient, weight_gradient };
const char* name_of(PipelinePass pass);

struct PipelineTask {
  PipelinePass pass;
  int micro_batch;
  friend bool operator==(const PipelineTask&, const PipelineTask&) = default;
};
using PipelineSchedule = std::vector<std::vector<PipelineTask>>;  // the tasks of each stage, in order

// Times of one micro-batch, in any unit.
struct PassTimes {
  double forward = 1, input_gradient = 1, weight_gradient = 1;
  double of(PipelinePass pass) const;
};
struct PipelineCosts {
  std::vector<PassTimes> stages;
  double send = 0;    // from the end of a pass until the next stage has its result
  double kept = 0.5;  // the part of a micro-batch's activations that its weight gradients still need
};

// 1F1B (Narayanan et al. 2019), each weight gradient right after its input gradient. Stage s holds the
// activations of at most stages - s micro-batches.
PipelineSchedule one_forward_one_backward(int stages, int micro_batches);

// Zero bubble: every stage takes input gradients first, forwards while it holds the activations of fewer than
// `most_activations` micro-batches, and weight gradients in the gaps. With as many as there are stages
// this does what ZB-H1 does, with twice as many what ZB-2p does. The best of several rules for which gaps a
// weight gradient may fill, and of 1F1B if it fits, by the time of a step. Error if most_activations < 1.
PipelineSchedule zero_bubble(const PipelineCosts& costs, int micro_batches, double most_activations);

// 1F1B, or zero bubble with the activations of as many micro-batches as there are stages, or of twice as
// many.
enum class ScheduleKind { one_f_one_b, zb_h1, zb_2p };
inline constexpr std::array schedule_kinds = {ScheduleKind::one_f_one_b, ScheduleKind::zb_h1,
                                              ScheduleKind::zb_2p};
const char* name_of(ScheduleKind kind);  // 1f1b, zb-h1, zb-2p
PipelineSchedule pipeline_schedule(ScheduleKind kind, const PipelineCosts& costs, int micro_batches);

// The most micro-batches that a stage is at work on at a time: those whose forward pass has begun and whose
// weight gradients are not done, and of them those whose input gradient has begun.
struct MicroBatchesInFlight {
  int kept = 0, deferred = 0;
};
MicroBatchesInFlight in_flight(const std::vector<PipelineTask>& tasks);

}  // namespace fathom
