// WaitListener: told while the host waits for its GPU, or in a call that may wait for other ranks. Meanwhile
// nobody hears from this thread; with a listener somebody else can answer for it (comm/mpi/watch_thread.h).
#pragma once

namespace fathom {

class WaitListener {
 public:
  virtual ~WaitListener() = default;
  // In pairs, which may lie within one another, of one thread.
  virtual void wait_begins() = 0;
  virtual void wait_ends() = 0;
};

}  // namespace fathom
