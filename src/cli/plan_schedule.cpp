// fathom plan --stages P --micro-batches M: what a pipeline of some stages gives, by schedule.
#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/parse_number.h"
#include "cli/flags.h"
#include "cli/plan.h"
#include "cli/standard_streams.h"
#include "io/file.h"
#include "io/json.h"

namespace fathom {
namespace {

PipelineCosts costs_of(const ScheduleOptions& o) {
  check(o.times.size() <= 1 || o.times.size() == static_cast<size_t>(*o.stages),
        "--times is given {} times: it is needed once, for all stages, or once for each of the {}",
        o.times.size(), *o.stages);
  const auto stages = static_cast<size_t>(*o.stages);
  return {.stages = o.times.size() == stages
                        ? o.times
                        : std::vector<PassTimes>(stages, o.times.empty() ? PassTimes() : o.times[0]),
          .send = o.send,
          .kept = o.kept};
}

double most(const std::vector<double>& x) {
  return *std::max_element(x.begin(), x.end());
}

}  // namespace

PassTimes parse_pass_times(const std::string& text) {
  std::vector<double> times;
  for (const std::string& part : comma_parts(text))
    times.push_back(parse_number<double>("--times", part, {.low = 0, .low_excluded = true}));
  check(times.size() == 3, "--times: three times with commas between them are needed, not '{}'", text);
  return {times[0], times[1], times[2]};
}

void plan_schedule(const ScheduleOptions& o) {
  const PipelineCosts costs = costs_of(o);
  OrderedJson all = OrderedJson::array();
  if (!o.json)
    print_output("{:<8}{:>12}{:>12}{:>10}{:>24}\n", "", "step", "period", "bubble", "activations of at most");
  for (const ScheduleKind kind : schedule_kinds) {
    const std::string name = name_of(kind);
    const PipelineTimeline t = time_schedule(costs, pipeline_schedule(kind, costs, *o.micro_batches));
    if (o.json)
      all.push_back({{"schedule", name},
                     {"step", t.step},
                     {"period", t.period},
                     {"bubble", t.bubble},
                     {"peak_activations", t.peak_activations}});
    else
      print_output("{:<8}{:>12.6g}{:>12.6g}{:>9.1f}%{:>12.1f} micro-batches\n", name, t.step, t.period,
                   100 * t.bubble, most(t.peak_activations));
    if (!o.picture.empty() && name == o.kind)
      write_file(o.picture, draw_timeline(t, fmt::format("{}: {} stages, {} micro-batches", name, *o.stages,
                                                         *o.micro_batches)));
  }
  if (o.json) print_output("{}\n", all.dump(2));
}

}  // namespace fathom
