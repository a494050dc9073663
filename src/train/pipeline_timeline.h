// When each pass of a pipeline schedule begins and ends, what it costs, and whether it can run at all.
#pragma once
#include <string>
#include <vector>

#include "train/pipeline_schedule.h"

namespace fathom {

struct PipelineTimeline {
  struct Slot {
    PipelineTask task;
    double begin, end;
  };
  std::vector<std::vector<Slot>> stages;
  std::vector<double> peak_activations;  // of each stage, in micro-batches
  double step = 0;                       // from the first pass to the last one's end
  // The longest time of one stage: what a step takes when no stage waits for all others at its end, which
  // clipping by the global norm makes it do.
  double period = 0;
  double bubble = 0;  // the part of step * stages in which nothing is computed
};

// What a pass adds to the activations that a stage holds, in micro-batches.
double activations_of(PipelinePass pass, double kept);

// Error, which names stage, pass and micro-batch: a pass missing, twice or before what it needs on its own
// stage; stages that wait for one another for ever; numbers of stages that differ.
PipelineTimeline time_schedule(const PipelineCosts& costs, const PipelineSchedule& schedule);

// The timeline as an SVG picture: a row for each stage, a box for each pass with the number of its
// micro-batch.
std::string draw_timeline(const PipelineTimeline& timeline, const std::string& title);

}  // namespace fathom
