#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/svg.h"
#include "eval/needle_run.h"

namespace fathom {
namespace {

constexpr double cell_width = 54, cell_height = 24, left = 64, top = 64, gap = 56;  // pixels

// The cells of one task: [length][depth].
const NeedleCell& cell_at(const NeedleSettings& s, const NeedleResults& r, size_t task, size_t length,
                          size_t depth) {
  return r.cells[(task * s.lengths.size() + length) * s.depths.size() + depth];
}

std::string length_text(int64_t tokens) {
  return tokens >= 1024 && tokens % 1024 == 0 ? fmt::format("{}K", tokens / 1024) : fmt::format("{}", tokens);
}

// From red by yellow to blue, which the colour-blind tell apart.
std::string color_of(double share) {
  struct Color {
    double r, g, b;
  };
  constexpr Color low{215, 48, 39}, middle{254, 224, 144}, high{69, 117, 180};
  const Color &from = share < 0.5 ? low : middle, &to = share < 0.5 ? middle : high;
  const double part = share < 0.5 ? 2 * share : 2 * share - 1;
  const auto mix = [part](double a, double b) { return static_cast<int>(std::lround(a + part * (b - a))); };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(from.r, to.r), mix(from.g, to.g), mix(from.b, to.b));
}

void draw_task(Svg& svg, const NeedleSettings& s, const NeedleResults& r, size_t task, double x) {
  const auto at = [](size_t i, double size) { return static_cast<double>(i) * size; };
  const double bottom = top + at(s.depths.size(), cell_height);
  svg.text(x, top - 12, "start", "#222", name_of(s.tasks[task]));
  for (size_t d = 0; d < s.depths.size(); ++d)
    svg.text(x - 6, top + at(d, cell_height) + 16, "end", "#222", fmt::format("{:.0f}%", 100 * s.depths[d]));
  for (size_t l = 0; l < s.lengths.size(); ++l) {
    const double cell_x = x + at(l, cell_width);
    svg.text(cell_x + cell_width / 2, bottom + 16, "middle", "#222", length_text(s.lengths[l]));
    for (size_t d = 0; d < s.depths.size(); ++d) {
      const NeedleCell& cell = cell_at(s, r, task, l, d);
      const double y = top + at(d, cell_height);
      svg.box(cell_x, y, cell_width, cell_height, cell.run == 0 ? "#ddd" : color_of(cell.share()));
      const bool dark = cell.run > 0 && std::abs(cell.share() - 0.5) > 0.3;
      svg.text(cell_x + cell_width / 2, y + 16, "middle", dark ? "#fff" : "#222",
               cell.run == 0 ? "not run" : fmt::format("{:.0f}", 100 * cell.share()));
    }
  }
  svg.text(x + at(s.lengths.size(), cell_width) / 2, bottom + 34, "middle", "#222", "tokens");
}

}  // namespace

std::string needle_picture(const NeedleSettings& s, const NeedleResults& r, const std::string& title) {
  const double panel = static_cast<double>(s.lengths.size()) * cell_width;
  const double tasks = static_cast<double>(s.tasks.size());
  Svg svg(std::max(left + tasks * (panel + gap), 480.0),
          top + static_cast<double>(s.depths.size()) * cell_height + 48);
  svg.text(left, 20, "start", "#222", title);
  svg.text(left, 36, "start", "#666",
           fmt::format("right answers of {}, percent; rows: depth of the needle", s.samples));
  for (size_t task = 0; task < s.tasks.size(); ++task)
    draw_task(svg, s, r, task, left + static_cast<double>(task) * (panel + gap));
  return svg.finish();
}

std::string needle_table(const NeedleSettings& s, const NeedleResults& r) {
  std::string out;
  for (size_t task = 0; task < s.tasks.size(); ++task) {
    out += fmt::format("{:<8}", name_of(s.tasks[task]));
    for (const int64_t length : s.lengths) out += fmt::format("{:>8}", length_text(length));
    out += '\n';
    for (size_t d = 0; d < s.depths.size(); ++d) {
      out += fmt::format("{:>7.0f}%", 100 * s.depths[d]);
      for (size_t l = 0; l < s.lengths.size(); ++l) {
        const NeedleCell& cell = cell_at(s, r, task, l, d);
        out += cell.run == 0 ? fmt::format("{:>8}", "not run") : fmt::format("{:>7.0f}%", 100 * cell.share());
      }
      out += '\n';
    }
  }
  return out;
}

OrderedJson needle_json(const NeedleSettings& s, const NeedleResults& r) {
  OrderedJson j = {{"samples", s.samples},
                   {"needles", s.needles},
                   {"digits", s.digits},
                   {"seed", s.seed},
                   {"needle", s.needle},
                   {"question", s.question},
                   {"cells", OrderedJson::array()},
                   {"answers", OrderedJson::array()}};
  for (const NeedleCell& cell : r.cells) {
    OrderedJson c = {{"task", name_of(cell.task)},
                     {"length", cell.length},
                     {"depth", cell.depth},
                     {"run", cell.run},
                     {"right", cell.right}};
    if (!cell.not_run.empty()) c["not_run"] = cell.not_run;
    j["cells"].push_back(std::move(c));
  }
  for (const NeedleAnswer& a : r.answers)
    j["answers"].push_back({{"task", name_of(a.item.task)},
                            {"length", a.item.length},
                            {"depth", a.item.depth},
                            {"sample", a.item.sample},
                            {"prompt_tokens", a.prompt_tokens},
                            {"answer_room", a.item.room},
                            {"placed", a.item.placed},
                            {"key", a.item.key},
                            {"expected", a.item.value},
                            {"output", a.output},
                            {"right", a.right}});
  return j;
}

}  // namespace fathom
