#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/svg.h"
#include "train/pipeline_timeline.h"

namespace fathom {
namespace {

constexpr double width = 1200, left = 70, top = 60, row = 26, gap = 4;  // pixels

std::string_view color_of(PipelinePass pass) {
  switch (pass) {
    case PipelinePass::forward:
      return "#4e79a7";
    case PipelinePass::input_gradient:
      return "#59a14f";
    case PipelinePass::weight_gradient:
      return "#f28e2b";
  }
  return "#000";
}

void legend(Svg& svg) {
  double x = left;
  for (const PipelinePass pass :
       {PipelinePass::forward, PipelinePass::input_gradient, PipelinePass::weight_gradient}) {
    svg.box(x, 30, 16, row, color_of(pass));
    svg.text(x + 22, 47, "start", "#222", name_of(pass));
    x += 140;
  }
}

}  // namespace

std::string draw_timeline(const PipelineTimeline& t, const std::string& title) {
  const double scale = (width - left - 10) / std::max(t.step, 1e-300);
  const double height = top + static_cast<double>(t.stages.size()) * (row + gap) + 24;
  Svg svg(width, height);
  svg.text(left, 18, "start", "#222", title);
  legend(svg);
  for (size_t s = 0; s < t.stages.size(); ++s) {
    const double y = top + static_cast<double>(s) * (row + gap);
    svg.text(left - 8, y + row * 0.68, "end", "#222", fmt::format("stage {}", s));
    for (const auto& [task, begin, end] : t.stages[s]) {
      const double w = (end - begin) * scale;
      const std::string number = fmt::format("{}", task.micro_batch);
      svg.box(left + begin * scale, y, w, row, color_of(task.pass));
      if (w > 8 * static_cast<double>(number.size()))
        svg.text(left + (begin + end) / 2 * scale, y + row * 0.68, "middle", "#fff", number);
    }
  }
  svg.text(left, height - 8, "start", "#222",
           fmt::format("step {:.6g}, bubble {:.1f}%", t.step, 100 * t.bubble));
  return svg.finish();
}

}  // namespace fathom
