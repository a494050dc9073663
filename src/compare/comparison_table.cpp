// A comparison for the terminal: models and scores, differences, checkpoints, remarks.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/progress.h"
#include "compare/comparison.h"
#include "compare/score_text.h"

namespace fathom {
namespace {

constexpr size_t line_width = 118, longest_name = 36;

std::string without_blanks(const std::string& line) {
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

class Table {
 public:
  Table(const Comparison& comparison, bool all_metrics) : c_(comparison) {
    for (const Measure& m : c_.measures)
      if (m.headline || (all_metrics && !m.over.starts_with("subject "))) shown_.push_back(&m);
    for (const EvaluatedRun& run : c_.runs) names_ = std::max(names_, run.name.size());
    for (const PublishedModel& model : c_.published.models) names_ = std::max(names_, model.name.size());
    names_ = std::min(names_, longest_name);
  }

  std::string text() {
    for (size_t first = 0; first < shown_.size();) {
      size_t end = first, width = names_;
      while (end < shown_.size() && (end == first || width + 2 + width_of(*shown_[end]) <= line_width))
        width += 2 + width_of(*shown_[end++]);
      add_scores(
          {shown_.begin() + static_cast<ptrdiff_t>(first), shown_.begin() + static_cast<ptrdiff_t>(end)});
      first = end;
    }
    out_ +=
        "95% intervals in brackets. Scores are in percent, bits_per_byte (less is better) and ratings as "
        "they are.\n";
    if (c_.runs.size() > 1) add_differences();
    for (const auto& [name, members] : c_.series()) add_series(name, members);
    add_remarks();
    return std::move(out_);
  }

 private:
  static std::string head_of(const Measure& m) { return m.metric + ", " + m.over; }
  // "18.00 [12.00, 24.67]" and "100.00 published (12)" have room.
  static size_t width_of(const Measure& m) {
    return std::max({m.task.size(), head_of(m).size(), size_t{m.unit == Unit::bits ? 25u : 22u}});
  }

  template <class Cell>
  void add_row(const std::string& name, const std::vector<const Measure*>& measures, const Cell& cell) {
    std::string line = fmt::format("{:<{}}", name, names_);
    for (const Measure* m : measures) line += fmt::format("  {:<{}}", cell(*m), width_of(*m));
    out_ += without_blanks(line);
  }

  static std::string value_text(const Measure& m, size_t run) {
    const std::optional<MeasuredValue>& v = m.values[run];
    return v ? score_text(m.unit, v->value) + " " + interval_text(m.unit, v->low, v->high) : "-";
  }

  void add_scores(const std::vector<const Measure*>& measures) {
    add_row("model", measures, [](const Measure& m) { return m.task; });
    add_row("", measures, head_of);
    for (size_t r = 0; r < c_.runs.size(); ++r)
      add_row(c_.runs[r].name, measures, [&](const Measure& m) { return value_text(m, r); });
    for (const PublishedModel& model : c_.published.models) {
      const auto has = [&](const Measure* m) { return c_.published_cell(model, *m).has_value(); };
      if (std::none_of(measures.begin(), measures.end(), has)) continue;
      add_row(model.name, measures, [&](const Measure& m) { return published_text(model, m); });
    }
    out_ += "\n";
  }

  std::string published_text(const PublishedModel& model, const Measure& m) {
    const auto cell = c_.published_cell(model, m);
    if (!cell) return "-";
    std::string text = score_text(m.unit, cell->value) + " published";
    if (cell->note.empty()) return text;
    const std::string note = m.task + ": published " + cell->note;
    auto at = std::find(notes_.begin(), notes_.end(), note);
    if (at == notes_.end()) at = notes_.insert(notes_.end(), note);
    return text + fmt::format(" ({})", at - notes_.begin() + 1);
  }

  void add_differences() {
    const size_t base = c_.baseline, n = c_.comparisons[base];
    out_ += fmt::format(
        "\nDifferences from {} on the same items: 95% intervals by the paired bootstrap, p by the paired "
        "test that is named.\n",
        c_.runs[base].name);
    if (n > 1)
      out_ +=
          fmt::format("These are {} comparisons of headlines: adjusted p are Holm's over all of them.\n", n);
    add_difference_row({"model", "task, metric", "difference", "better in", "p", "adjusted", "test"});
    for (const Measure* m : shown_)
      for (size_t r = 0; r < c_.runs.size(); ++r) add_difference(*m, r);
  }

  void add_difference(const Measure& m, size_t r) {
    const std::optional<PairedDifference> d = m.difference(c_.baseline, r);
    if (!d) return;
    const std::string items = d->only_first ? fmt::format("{} : {}", *d->only_second, *d->only_first) : "";
    const bool adjusted = !m.holm.empty() && m.holm[c_.baseline][r].has_value();
    const std::string name = m.task + ", " + m.metric + (m.headline ? "" : ", " + m.over);
    add_difference_row(
        {c_.runs[r].name, name,
         score_text(m.unit, d->difference, true) + " " + interval_text(m.unit, d->low, d->high), items,
         p_text(d->p), adjusted ? p_text(*m.holm[c_.baseline][r]) : "-", m.test});
  }
  void add_difference_row(const std::array<std::string, 7>& cells) {
    out_ += fmt::format("{:<{}}  {:<30}  {:<25}  {:<11}  {:<8} {:<8}  {}\n", cells[0], names_, cells[1],
                        cells[2], cells[3], cells[4], cells[5], cells[6]);
  }

  void add_series(const std::string& name, const std::vector<size_t>& members) {
    std::vector<const Measure*> measures;
    for (const Measure* m : shown_)
      if (m->headline && measures.size() < 3) measures.push_back(m);
    out_ += fmt::format("\nCheckpoints of {}\n", name);
    const auto add = [&](const std::string& tokens, const std::string& step, const auto& cell) {
      std::string line = fmt::format("{:<10}  {:<10}", tokens, step);
      for (const Measure* m : measures) line += fmt::format("  {:<{}}", cell(*m), width_of(*m));
      out_ += without_blanks(line);
    };
    add("tokens", "step", [](const Measure& m) { return m.task; });
    for (const size_t r : members) {
      const TrainingPlace& at = c_.runs[r].training;
      add(human_count(static_cast<double>(*at.tokens)), at.step ? std::to_string(*at.step) : "-",
          [&](const Measure& m) { return value_text(m, r); });
    }
  }

  void add_remarks() {
    if (notes_.empty() && c_.remarks.empty()) return;
    out_ += "\n";
    for (size_t i = 0; i < notes_.size(); ++i) out_ += fmt::format("({}) {}\n", i + 1, notes_[i]);
    for (const std::string& remark : c_.remarks) out_ += remark + "\n";
  }

  const Comparison& c_;
  std::vector<const Measure*> shown_;
  std::vector<std::string> notes_;
  size_t names_ = 5;
  std::string out_;
};

}  // namespace

std::string score_text(Unit unit, double value, bool sign) {
  const double shown = display_scale(unit) * value;
  return sign ? fmt::format("{:+.{}f}", shown, display_digits(unit))
              : fmt::format("{:.{}f}", shown, display_digits(unit));
}

std::string interval_text(Unit unit, const std::optional<double>& low, const std::optional<double>& high) {
  return low && high ? fmt::format("[{}, {}]", score_text(unit, *low), score_text(unit, *high)) : "";
}

std::string p_text(double p) {
  return p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p);
}

std::string comparison_table(const Comparison& comparison, bool all_metrics) {
  return Table(comparison, all_metrics).text();
}

}  // namespace fathom
