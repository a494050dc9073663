#include "train/rank_times.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace fathom {
namespace {

using Spans = std::vector<std::pair<double, double>>;

// In order, none of them touching another.
Spans united(Spans spans) {
  std::sort(spans.begin(), spans.end());
  Spans result;
  for (const auto& [begin, end] : spans) {
    if (begin >= end) continue;
    if (result.empty() || begin > result.back().second)
      result.emplace_back(begin, end);
    else
      result.back().second = std::max(result.back().second, end);
  }
  return result;
}

double length(const Spans& spans) {
  double sum = 0;
  for (const auto& [begin, end] : spans) sum += end - begin;
  return sum;
}

// Of what lies in the first, but not in the second; both united.
double length_outside(const Spans& spans, const Spans& others) {
  double outside = length(spans);
  auto other = others.begin();
  for (const auto& [begin, end] : spans) {
    while (other != others.end() && other->second <= begin) ++other;
    for (auto o = other; o != others.end() && o->first < end; ++o)
      outside -= std::min(end, o->second) - std::max(begin, o->first);
  }
  return outside;
}

// Those of this kind, or of all, within the step.
template <class Entries, class Takes>
Spans spans_of(const Entries& entries, double step, const Takes& takes) {
  Spans spans;
  for (const auto& e : entries)
    if (takes(kind_of(e.collective)))
      spans.emplace_back(std::max(e.begin, 0.0), std::min(e.begin + e.seconds, step));
  return united(std::move(spans));
}

}  // namespace

const char* name_of(ExchangeKind kind) {
  switch (kind) {
    case ExchangeKind::weights:
      return "weights";
    case ExchangeKind::gradients:
      return "gradients";
    case ExchangeKind::experts:
      return "experts";
    case ExchangeKind::pipeline:
      return "pipeline";
    case ExchangeKind::agreement:
      return "agreement";
  }
  return "?";
}

// Weights are gathered, gradients reduced to their owners, tokens of experts go all ways, stages send to each
// other; what is left are totals of the step and decisions.
ExchangeKind kind_of(std::string_view collective) {
  if (collective == "all-gather") return ExchangeKind::weights;
  if (collective == "reduce-scatter") return ExchangeKind::gradients;
  if (collective == "all-to-all") return ExchangeKind::experts;
  if (collective == "all-reduce" || collective == "broadcast") return ExchangeKind::agreement;
  return ExchangeKind::pipeline;
}

RankTimes rank_times(double step, std::span<const Profile::Call> calls, std::span<const Profile::Wait> waits,
                     std::span<const Profile::Transfer> transfers) {
  RankTimes times;
  times.step = step;
  for (const Profile::Call& call : calls) times.computing += call.seconds;
  const auto any = [](ExchangeKind) { return true; };
  const Spans waiting = spans_of(waits, step, any);
  times.all = {length(waiting), length_outside(spans_of(transfers, step, any), waiting)};
  for (const ExchangeKind kind : exchange_kinds) {
    const auto this_one = [kind](ExchangeKind k) { return k == kind; };
    times.kinds[static_cast<size_t>(kind)] = {length(spans_of(waits, step, this_one)),
                                              length_outside(spans_of(transfers, step, this_one), waiting)};
  }
  return times;
}

RankTimes rank_times(Profile& profile) {
  return rank_times(profile.seconds(), profile.calls(), profile.waits(), profile.transfers());
}

std::vector<RankTimes> gather_times(Communicator& ranks, RankTimes mine) {
  static_assert(std::is_trivially_copyable_v<RankTimes> && sizeof(RankTimes) % sizeof(double) == 0);
  constexpr auto numbers = static_cast<int64_t>(sizeof(RankTimes) / sizeof(double));
  std::vector<RankTimes> all(static_cast<size_t>(ranks.size()));
  ranks.host().run(AllGather{.out = Tensor(all.data(), DType::f64, {ranks.size(), numbers}),
                             .in = Tensor(&mine, DType::f64, {1, numbers})});
  return all;
}

}  // namespace fathom
