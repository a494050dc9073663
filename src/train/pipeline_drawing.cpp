#include <fmt/format.h>

#include <algorithm>
#include <string_view>

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

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::string box(double x, double y, double w, std::string_view color) {
  return fmt::format(R"(<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{}" fill="{}" stroke="#fff"/>)", x,
                     y, w, row, color) +
         "\n";
}
std::string text(double x, double y, std::string_view anchor, std::string_view color,
                 std::string_view words) {
  return fmt::format(R"(<text x="{:.2f}" y="{:.2f}" text-anchor="{}" fill="{}">{}</text>)", x, y, anchor,
                     color, escaped(words)) +
         "\n";
}

std::string legend() {
  std::string out;
  double x = left;
  for (const PipelinePass pass :
       {PipelinePass::forward, PipelinePass::input_gradient, PipelinePass::weight_gradient}) {
    out += box(x, 30, 16, color_of(pass)) + text(x + 22, 47, "start", "#222", name_of(pass));
    x += 140;
  }
  return out;
}

}  // namespace

std::string draw_timeline(const PipelineTimeline& t, const std::string& title) {
  const double scale = (width - left - 10) / std::max(t.step, 1e-300);
  const double height = top + static_cast<double>(t.stages.size()) * (row + gap) + 24;
  std::string svg =
      fmt::format(
          R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" font-family="sans-serif" font-size="12">)",
          width, height) +
      "\n" + R"(<rect width="100%" height="100%" fill="#fff"/>)" + "\n";
  svg += text(left, 18, "start", "#222", title) + legend();
  for (size_t s = 0; s < t.stages.size(); ++s) {
    const double y = top + static_cast<double>(s) * (row + gap);
    svg += text(left - 8, y + row * 0.68, "end", "#222", fmt::format("stage {}", s));
    for (const auto& [task, begin, end] : t.stages[s]) {
      const double w = (end - begin) * scale;
      const std::string number = fmt::format("{}", task.micro_batch);
      svg += box(left + begin * scale, y, w, color_of(task.pass));
      if (w > 8 * static_cast<double>(number.size()))
        svg += text(left + (begin + end) / 2 * scale, y + row * 0.68, "middle", "#fff", number);
    }
  }
  svg += text(left, height - 8, "start", "#222",
              fmt::format("step {:.6g}, bubble {:.1f}%", t.step, 100 * t.bubble));
  return svg + "</svg>\n";
}

}  // namespace fathom
