// A profile as a trace in Chrome's JSON format, which Perfetto (ui.perfetto.dev) opens: a process for each
// rank, with one track for its work and its waits, and tracks for what travels meanwhile.
#pragma once
#include <string>

#include "comm/clock_offset.h"
#include "comm/communicator.h"
#include "tensor/profile.h"

namespace fathom {

// Replaces `path` by the trace of all ranks, on rank 0's time line; `title` names what was profiled. Every rank
// calls it, with its own profile and clock; rank 0 writes, and holds its own part and a piece of another at a
// time.
void write_trace(const std::string& path, const std::string& title, Profile& profile, Communicator& ranks,
                 const ClockOffset& clock = {});

}  // namespace fathom
