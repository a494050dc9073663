#include "train/pipeline_schedule.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/error.h"
#include "train/pipeline_timeline.h"

namespace fathom {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double tolerance = 1e-9;  // of sums of times, relative to one that is about 1

// Zero bubble by simulation: the stage that can begin something first does, until all is done.
class Greedy {
 public:
  Greedy(const PipelineCosts& costs, int micro_batches, double most_activations, double least_gap)
      : costs_(costs),
        micro_batches_(micro_batches),
        most_activations_(most_activations),
        least_gap_(least_gap),
        stages_(costs.stages.size()) {
    for (Stage& s : stages_)
      s.forward_end.assign(micro_batches, never), s.gradient_end.assign(micro_batches, never);
  }

  PipelineSchedule run() {
    for (size_t left = 3 * stages_.size() * static_cast<size_t>(micro_batches_); left > 0; --left) {
      size_t first = 0;
      std::optional<Choice> choice;
      for (size_t s = 0; s < stages_.size(); ++s)
        if (const auto c = next_of(s); c && (!choice || c->begin < choice->begin - tolerance))
          first = s, choice = c;
      begin(first, choice.value());
    }
    PipelineSchedule schedule;
    for (const Stage& s : stages_) schedule.push_back(s.tasks);
    return schedule;
  }

 private:
  struct Stage {
    std::vector<PipelineTask> tasks;
    std::vector<double> forward_end, gradient_end;  // of each micro-batch
    std::array<int, 3> done{};                      // of each pass
    double free_from = 0, activations = 0;
  };
  struct Choice {
    PipelinePass pass;
    double begin;
  };

  static int& done(Stage& s, PipelinePass pass) { return s.done[static_cast<size_t>(pass)]; }

  // When the next forward's input is there, or the next input gradient's; never: nobody knows yet.
  double forward_ready(size_t s) {
    const int m = done(stages_[s], PipelinePass::forward);
    if (m == micro_batches_ || stages_[s].activations + 1 > most_activations_ + tolerance) return never;
    return s == 0 ? 0 : stages_[s - 1].forward_end[static_cast<size_t>(m)] + costs_.send;
  }
  double gradient_ready(size_t s) {
    const int m = done(stages_[s], PipelinePass::input_gradient);
    if (m == micro_batches_) return never;
    const double own = stages_[s].forward_end[static_cast<size_t>(m)];
    if (s + 1 == stages_.size()) return own;
    return std::max(own, stages_[s + 1].gradient_end[static_cast<size_t>(m)] + costs_.send);
  }

  std::optional<Choice> next_of(size_t s) {
    Stage& stage = stages_[s];
    const double forward = std::max(stage.free_from, forward_ready(s)),
                 gradient = std::max(stage.free_from, gradient_ready(s)), next = std::min(forward, gradient);
    const bool gap_suffices =
        stage.free_from + least_gap_ * costs_.stages[s].weight_gradient <= next + tolerance;
    const bool waits = next > stage.free_from + tolerance;
    if (waits && gap_suffices &&
        done(stage, PipelinePass::weight_gradient) < done(stage, PipelinePass::input_gradient))
      return Choice{PipelinePass::weight_gradient, stage.free_from};
    if (next == never) return std::nullopt;
    return Choice{gradient <= next + tolerance ? PipelinePass::input_gradient : PipelinePass::forward, next};
  }

  void begin(size_t s, const Choice& c) {
    Stage& stage = stages_[s];
    const int m = done(stage, c.pass)++;
    const double end = c.begin + costs_.stages[s].of(c.pass);
    stage.tasks.push_back({c.pass, m});
    stage.free_from = end;
    stage.activations += activations_of(c.pass, costs_.kept);
    if (c.pass == PipelinePass::forward) stage.forward_end[static_cast<size_t>(m)] = end;
    if (c.pass == PipelinePass::input_gradient) stage.gradient_end[static_cast<size_t>(m)] = end;
  }

  const PipelineCosts& costs_;
  int micro_batches_;
  double most_activations_, least_gap_;  // least_gap: of a weight gradient's time
  std::vector<Stage> stages_;
};

// The same with 1 as the longest time of a stage's passes.
PipelineCosts scaled(PipelineCosts costs) {
  double longest = 0;
  for (const PassTimes& t : costs.stages)
    longest = std::max(longest, t.forward + t.input_gradient + t.weight_gradient);
  for (PassTimes& t : costs.stages)
    t.forward /= longest, t.input_gradient /= longest, t.weight_gradient /= longest;
  costs.send /= longest;
  return costs;
}

}  // namespace

const char* name_of(PipelinePass pass) {
  switch (pass) {
    case PipelinePass::forward:
      return "forward";
    case PipelinePass::input_gradient:
      return "input gradient";
    case PipelinePass::weight_gradient:
      return "weight gradient";
  }
  return "?";
}

double PassTimes::of(PipelinePass pass) const {
  return pass == PipelinePass::forward          ? forward
         : pass == PipelinePass::input_gradient ? input_gradient
                                                : weight_gradient;
}

PipelineSchedule one_forward_one_backward(int stages, int micro_batches) {
  PipelineSchedule schedule(static_cast<size_t>(stages));
  for (int s = 0; s < stages; ++s) {
    std::vector<PipelineTask>& tasks = schedule[static_cast<size_t>(s)];
    int forwards = 0;
    const auto forward = [&] { tasks.push_back({PipelinePass::forward, forwards++}); };
    while (forwards < std::min(stages - s - 1, micro_batches)) forward();
    for (int m = 0; m < micro_batches; ++m) {
      if (forwards < micro_batches) forward();
      tasks.push_back({PipelinePass::input_gradient, m});
      tasks.push_back({PipelinePass::weight_gradient, m});
    }
  }
  return schedule;
}

PipelineSchedule zero_bubble(const PipelineCosts& any_unit, int micro_batches, double most_activations) {
  const PipelineCosts costs = scaled(any_unit);
  check(most_activations >= 1, "a stage must hold the activations of at least one micro-batch, not of {}",
        most_activations);
  PipelineSchedule best;
  double step = never, period = never;
  const auto consider = [&](PipelineSchedule schedule) {
    const PipelineTimeline t = time_schedule(costs, schedule);
    const double slower = t.step - step;
    if (slower > tolerance || (slower > -tolerance && t.period > period - tolerance)) return;
    step = t.step, period = t.period, best = std::move(schedule);
  };
  const auto stages = static_cast<int>(costs.stages.size());
  if (stages <= most_activations) consider(one_forward_one_backward(stages, micro_batches));
  for (const double least_gap : {0.0, 0.1, 0.25, 0.5, 0.75, 1.0})
    consider(Greedy(costs, micro_batches, most_activations, least_gap).run());
  return best;
}

const char* name_of(ScheduleKind kind) {
  return kind == ScheduleKind::one_f_one_b ? "1f1b" : kind == ScheduleKind::zb_h1 ? "zb-h1" : "zb-2p";
}

PipelineSchedule pipeline_schedule(ScheduleKind kind, const PipelineCosts& costs, int micro_batches) {
  const auto stages = static_cast<int>(costs.stages.size());
  if (kind == ScheduleKind::one_f_one_b) return one_forward_one_backward(stages, micro_batches);
  return zero_bubble(costs, micro_batches, kind == ScheduleKind::zb_h1 ? stages : 2 * stages);
}

MicroBatchesInFlight in_flight(const std::vector<PipelineTask>& tasks) {
  MicroBatchesInFlight most, now;
  for (const PipelineTask& task : tasks) {
    if (task.pass == PipelinePass::forward) most.kept = std::max(most.kept, ++now.kept);
    if (task.pass == PipelinePass::input_gradient) most.deferred = std::max(most.deferred, ++now.deferred);
    if (task.pass == PipelinePass::weight_gradient) --now.kept, --now.deferred;
  }
  return most;
}

}  // namespace fathom
