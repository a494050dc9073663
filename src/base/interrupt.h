// Ctrl-C, SIGTERM, SIGHUP (the terminal is gone) and SIGUSR1 (mpirun passes it on to its ranks without ending
// them, and Slurm can send it before the time is up) as a flag that long work polls between steps, so that it
// can stop at a clean point.
#pragma once
#include "base/error.h"

namespace fathom {

// From now on the first of these signals only sets the flag; a second one ends the process at once. SIGHUP
// stays ignored where it was, as under nohup.
void catch_interrupts();
bool interrupted();

// Of work that a signal broke off.
struct Interrupted : Error {
  Interrupted() : Error("interrupted") {}
};

// For programs that go on after Ctrl-C: it alone is caught from now on, the flag is down, and a read that
// waits for input ends with EINTR. To be called again once the flag was seen.
void catch_ctrl_c();

}  // namespace fathom
