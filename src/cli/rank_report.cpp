#include "cli/rank_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom {
namespace {

std::string milliseconds(double seconds) {
  return fmt::format("{:.2f}", seconds * 1e3);
}

std::string milliseconds(const ExchangeTimes& times) {
  return milliseconds(times.waited) + "+" + milliseconds(times.beside);
}

// By the same rule for each number.
template <class Choose>
RankTimes combined(std::span<const RankTimes> ranks, const Choose& choose) {
  RankTimes result = ranks[0];
  const auto choose_both = [&](ExchangeTimes& to, const ExchangeTimes& from) {
    to = {choose(to.waited, from.waited), choose(to.beside, from.beside)};
  };
  for (const RankTimes& r : ranks) {
    result.step = choose(result.step, r.step), result.computing = choose(result.computing, r.computing);
    choose_both(result.all, r.all);
    for (size_t k = 0; k < r.kinds.size(); ++k) choose_both(result.kinds[k], r.kinds[k]);
  }
  return result;
}

class Table {
 public:
  explicit Table(std::span<const RankTimes> ranks, size_t host_width) : host_width_(host_width) {
    for (const ExchangeKind kind : exchange_kinds)
      if (std::any_of(ranks.begin(), ranks.end(), [&](const RankTimes& r) { return r.of(kind).sum() > 0; }))
        kinds_.push_back(kind);
  }

  std::string heading() const {
    std::string text = fmt::format("{:>6}  {:<{}}{:>10}{:>11}{:>18}", "rank", "host", host_width_, "step",
                                   "computing", "exchanging");
    for (const ExchangeKind kind : kinds_) text += fmt::format("{:>18}", name_of(kind));
    return text + fmt::format("{:>8}\n", "bubble");
  }
  std::string row(const std::string& name, const std::string& host, const RankTimes& r, double bubble) const {
    std::string text = fmt::format("{:>6}  {:<{}}{:>10}{:>11}{:>18}", name, host, host_width_,
                                   milliseconds(r.step), milliseconds(r.computing), milliseconds(r.all));
    for (const ExchangeKind kind : kinds_) text += fmt::format("{:>18}", milliseconds(r.of(kind)));
    return text + fmt::format("{:>7.1f}%\n", 100 * bubble);
  }

 private:
  size_t host_width_;
  std::vector<ExchangeKind> kinds_;
};

}  // namespace

std::string rank_table(const std::string& title, std::span<const RankTimes> ranks,
                       const std::vector<std::string>& hosts) {
  size_t width = 4;
  for (const std::string& host : hosts) width = std::max(width, host.size());
  const Table table(ranks, width);
  std::string text = title + ", ms of each rank; a+b: it waited a, and b travelled beside its work\n";
  text += table.heading();
  double least = 1, most = 0;
  for (size_t r = 0; r < ranks.size(); ++r) {
    const double bubble = ranks[r].bubble();
    least = std::min(least, bubble), most = std::max(most, bubble);
    text += table.row(std::to_string(r), hosts[r], ranks[r], bubble);
  }
  if (ranks.size() <= 2) return text;
  const auto smaller = [](double a, double b) { return std::min(a, b); };
  const auto larger = [](double a, double b) { return std::max(a, b); };
  return text + table.row("least", "", combined(ranks, smaller), least) +
         table.row("most", "", combined(ranks, larger), most);
}

}  // namespace fathom
