#include "comm/clock_offset.h"

#include <array>
#include <chrono>
#include <limits>

namespace fathom {
namespace {

// The shortest of them has met no delay. The first ones wait until the other rank comes.
constexpr int round_trips = 16;

using Words = std::array<double, 2>;

void send(Communicator& ranks, Words words, int to) {
  ranks.run(Send{.x = Tensor(words.data(), DType::f64, {2}), .to = to});
}

Words receive(Communicator& ranks, int from) {
  Words words{};
  ranks.run(Receive{.x = Tensor(words.data(), DType::f64, {2}), .from = from});
  return words;
}

// Of another rank's clock to this one's: it was read in the middle of a round trip.
ClockOffset ask(Communicator& ranks, const std::function<double()>& now, int rank) {
  ClockOffset best{0, std::numeric_limits<double>::infinity()};
  for (int i = 0; i < round_trips; ++i) {
    const double sent = now();
    send(ranks, {}, rank);
    const double there = receive(ranks, rank)[0], back = now();
    if ((back - sent) / 2 < best.error) best = {(sent + back) / 2 - there, (back - sent) / 2};
  }
  return best;
}

}  // namespace

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ClockOffset clock_offset(Communicator& all, const std::function<double()>& now) {
  Communicator& ranks = all.host();
  if (ranks.rank() > 0) {
    for (int i = 0; i < round_trips; ++i) {
      receive(ranks, 0);
      send(ranks, {now(), 0}, 0);
    }
    const auto [seconds, error] = receive(ranks, 0);
    return {seconds, error};
  }
  for (int r = 1; r < ranks.size(); ++r) {
    const ClockOffset offset = ask(ranks, now, r);
    send(ranks, {offset.seconds, offset.error}, r);
  }
  return {};
}

}  // namespace fathom
