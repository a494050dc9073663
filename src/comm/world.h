// World: all ranks of this run, from the start of main() to its end. Communicators come from it and must be
// gone before it.
//
//   int main() {
//     std::optional<World> world;
//     try {
//       world.emplace();
//       world->check_ranks();
//       ...
//       return 0;
//     } catch (const std::exception& e) {
//       if (world && world->size() > 1) world->abort(explain(e));
//       ...
//     }
//   }
//
// After an error on one rank the others wait for it, so no orderly end is tried: abort() ends all. A rank
// that is killed or crashes is noticed by the launcher, which ends the others; one that hangs by
// watch_for_hangs(). Ctrl-C and SIGTERM reach
// the launcher. Open MPI's passes SIGTERM on and kills what has not ended a second later (its parameter
// odls_base_sigkill_timeout has the seconds). Ranks that are to stop together at a clean point must agree on
// it, by an all-reduce of interrupted().
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "comm/communicator.h"
#include "comm/limits.h"
#include "comm/session.h"
#include "tensor/device.h"

namespace fathom {

class World {
 public:
  // One process alone starts nothing. With several ranks: an Error where this build has no MPI, or MPI does
  // not see all ranks that the launcher has started.
  World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  // Among the ranks on this host: the number of its GPU, where each has one.
  int rank_on_host() const { return rank_on_host_; }
  // CPU threads for this rank, where nobody says how many: its part of the host's processors, or of those
  // that the launcher has bound it to.
  int threads_of_rank() const;

  // All ranks, with tensors in this device's memory; the device must outlive it. Every rank calls it, not
  // while a collective is pending. The limits are for tests.
  Communicator communicator(const Device& device, const CommLimits& limits = {});

  // The first thing to do: an Error unless all ranks run the same program file with the same MPI. Warns once
  // where the launcher has bound ranks to too few processors, and where hosts have different numbers of ranks.
  void check_ranks();
  // An Error that names the first rank whose value is not rank 0's, and both values. Every rank calls it.
  void check_same(const std::string& name, const std::string& value);
  // Rank 0's text. Every rank calls it.
  std::string from_rank_0(const std::string& text);

  // From here on, a rank that the others have waited for during so many seconds ends the run: an Error on
  // those names it and its host. Waits in GPU memory count for communicators that are made later. Every rank
  // calls it.
  void watch_for_hangs(double seconds);
  // To be told of waits for other ranks that are not in a communicator; null: nobody watches.
  WaitListener* waits() { return session_ ? session_->waits() : nullptr; }

  // After an error on this rank: one line on standard error, "fathom: rank 2 of 8 on host: message", and the
  // end of all ranks with exit code 1. If several come here at once, the lowest speaks.
  [[noreturn]] void abort(const std::string& message);

 private:
  std::unique_ptr<Session> session_;      // null: alone
  std::optional<Communicator> everyone_;  // for the checks; none alone
  int rank_ = 0, size_ = 1, rank_on_host_ = 0, ranks_on_host_ = 1;
};

}  // namespace fathom
