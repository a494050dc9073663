// Session: what runs while several ranks do. mpi/session.cpp is made of MPI; without_mpi.cpp stands for it in
// builds that have none.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/backend.h"
#include "comm/launcher.h"
#include "comm/limits.h"
#include "tensor/wait_listener.h"

namespace fathom {

class Session {
 public:
  // Its end waits for all ranks; not while an exception passes: the launcher ends the others when this
  // process fails.
  virtual ~Session() = default;
  // All ranks, in host memory, which `threads` reduce. Every rank calls it.
  virtual std::unique_ptr<CommBackend> everyone(int threads, const CommLimits& limits) = 0;
  // Those on this host.
  virtual std::unique_ptr<CommBackend> on_this_host() = 0;
  virtual std::string library_version() const = 0;
  // A wait of that many seconds for ranks that do not take part becomes an Error that names them. Every rank
  // calls it, with the host of each. Where the wait is not MPI's (waits()), on_hang gets the message, in
  // another thread.
  virtual void watch(double seconds, std::vector<std::string> hosts,
                     std::function<void(const std::string&)> on_hang) = 0;
  // Whom to tell of waits that are not MPI's; null before watch().
  virtual WaitListener* waits() = 0;
  // Ends all ranks at once, with exit code 1.
  [[noreturn]] virtual void abort() = 0;
};

// An Error where this build has no MPI, or MPI does not see all ranks that the launcher has started.
std::unique_ptr<Session> start_session(const Launch& launch);

}  // namespace fathom
