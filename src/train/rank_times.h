// Where a rank's time went in a profiled step: in ops, in collectives that it had to wait for, and what of
// them travelled beside its own work.
#pragma once
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "comm/communicator.h"
#include "tensor/profile.h"

namespace fathom {

// What ranks exchange in a training step: each is a kind of collective.
enum class ExchangeKind { weights, gradients, experts, pipeline, agreement };
inline constexpr std::array exchange_kinds = {ExchangeKind::weights, ExchangeKind::gradients,
                                              ExchangeKind::experts, ExchangeKind::pipeline,
                                              ExchangeKind::agreement};
const char* name_of(ExchangeKind kind);
ExchangeKind kind_of(std::string_view collective);

// In seconds. The sum is the time in which something travelled or was waited for.
struct ExchangeTimes {
  double waited = 0;  // exposed: no op ran
  double beside = 0;  // hidden: under way while the rank did not wait, for this or for anything else
  double sum() const { return waited + beside; }
};

// Plain numbers, so that ranks can send them to each other.
struct RankTimes {
  double step = 0, computing = 0;  // seconds; computing: in ops
  ExchangeTimes all;               // what travels at the same time counts once
  std::array<ExchangeTimes, exchange_kinds.size()> kinds;

  const ExchangeTimes& of(ExchangeKind kind) const { return kinds[static_cast<size_t>(kind)]; }
  // The share of the step in which a stage waited for its neighbours.
  double bubble() const { return step > 0 ? of(ExchangeKind::pipeline).waited / step : 0; }
};

RankTimes rank_times(double step, std::span<const Profile::Call> calls, std::span<const Profile::Wait> waits,
                     std::span<const Profile::Transfer> transfers);
RankTimes rank_times(Profile& profile);

// Those of every rank, in order. Every rank calls it.
std::vector<RankTimes> gather_times(Communicator& ranks, RankTimes mine);

}  // namespace fathom
