#include "train/pipeline_timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"

namespace fathom {
namespace {

constexpr double unknown = std::numeric_limits<double>::infinity();
using Ends = std::array<std::vector<double>, 3>;  // of each pass and micro-batch of a stage

size_t index_of(PipelinePass pass) {
  return static_cast<size_t>(pass);
}

// Each stage by itself: every micro-batch once through every pass, in the order in which they need each
// other.
void check_stage(const std::vector<PipelineTask>& tasks, int micro_batches, size_t stage) {
  std::array<std::vector<bool>, 3> seen;
  seen.fill(std::vector<bool>(static_cast<size_t>(micro_batches)));
  for (const auto& [pass, m] : tasks) {
    check(m >= 0 && m < micro_batches, "stage {}: there is no micro-batch {}", stage, m);
    const auto at = static_cast<size_t>(m);
    check(!seen[index_of(pass)][at], "stage {}: the {} of micro-batch {} comes twice", stage, name_of(pass),
          m);
    check(pass == PipelinePass::forward || seen[index_of(pass) - 1][at],
          "stage {}: the {} of micro-batch {} comes before what it needs", stage, name_of(pass), m);
    seen[index_of(pass)][at] = true;
  }
  for (const PipelinePass pass :
       {PipelinePass::forward, PipelinePass::input_gradient, PipelinePass::weight_gradient})
    for (int m = 0; m < micro_batches; ++m)
      check(seen[index_of(pass)][static_cast<size_t>(m)], "stage {}: the {} of micro-batch {} is missing",
            stage, name_of(pass), m);
}

// When what a task needs is there; unknown while it has not been timed.
double ready(const PipelineTask& task, size_t stage, const std::vector<Ends>& ends, double send) {
  const auto m = static_cast<size_t>(task.micro_batch);
  const auto end = [&](size_t s, PipelinePass pass) { return ends[s][index_of(pass)][m]; };
  switch (task.pass) {
    case PipelinePass::forward:
      return stage == 0 ? 0 : end(stage - 1, PipelinePass::forward) + send;
    case PipelinePass::input_gradient: {
      const double own = end(stage, PipelinePass::forward);
      return stage + 1 == ends.size() ? own
                                      : std::max(own, end(stage + 1, PipelinePass::input_gradient) + send);
    }
    case PipelinePass::weight_gradient:
      return end(stage, PipelinePass::input_gradient);
  }
  return unknown;
}

double peak_of(const std::vector<PipelineTask>& tasks, double kept) {
  double held = 0, peak = 0;
  for (const PipelineTask& task : tasks) peak = std::max(peak, held += activations_of(task.pass, kept));
  return peak;
}

}  // namespace

double activations_of(PipelinePass pass, double kept) {
  return pass == PipelinePass::forward ? 1 : pass == PipelinePass::input_gradient ? kept - 1 : -kept;
}

PipelineTimeline time_schedule(const PipelineCosts& costs, const PipelineSchedule& schedule) {
  const size_t stages = schedule.size();
  check(stages > 0 && stages == costs.stages.size(), "the schedule has {} stages, the costs {}", stages,
        costs.stages.size());
  const auto micro_batches = static_cast<int>(schedule[0].size() / 3);
  PipelineTimeline t;
  std::vector<Ends> ends(stages);
  for (size_t s = 0; s < stages; ++s) {
    check_stage(schedule[s], micro_batches, s);
    ends[s].fill(std::vector<double>(static_cast<size_t>(micro_batches), unknown));
    t.peak_activations.push_back(peak_of(schedule[s], costs.kept));
  }
  t.stages.resize(stages);
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t s = 0; s < stages; ++s)
      while (t.stages[s].size() < schedule[s].size()) {
        const PipelineTask& task = schedule[s][t.stages[s].size()];
        const double from = ready(task, s, ends, costs.send);
        if (from == unknown) break;
        const double begin = std::max(from, t.stages[s].empty() ? 0 : t.stages[s].back().end),
                     end = begin + costs.stages[s].of(task.pass);
        ends[s][index_of(task.pass)][static_cast<size_t>(task.micro_batch)] = end;
        t.stages[s].push_back({task, begin, end});
        moved = true;
      }
  }
  double busy = 0;
  for (size_t s = 0; s < stages; ++s) {
    if (t.stages[s].size() < schedule[s].size()) {
      const PipelineTask& task = schedule[s][t.stages[s].size()];
      fail("the stages wait for one another for ever: stage {} for the {} of micro-batch {}", s,
           name_of(task.pass), task.micro_batch);
    }
    if (t.stages[s].empty()) continue;
    for (const auto& slot : t.stages[s]) busy += slot.end - slot.begin;
    t.step = std::max(t.step, t.stages[s].back().end);
    t.period = std::max(t.period, t.stages[s].back().end - t.stages[s].front().begin);
  }
  if (t.step > 0) t.bubble = 1 - busy / (t.step * static_cast<double>(stages));
  return t;
}

}  // namespace fathom
