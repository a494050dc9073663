// Ctrl-C, SIGTERM, SIGHUP (the terminal is gone) and SIGUSR1 (mpirun passes it on to its ranks without ending
// them, and Slurm can send it before the time is up) as a flag that long work polls between steps, so that it
// can stop at a clean point.
#pragma once

namespace fathom {

// From now on the first of these signals only sets the flag; a second one ends the process at once. SIGHUP
// stays ignored where it was, as under nohup.
void catch_interrupts();
bool interrupted();

}  // namespace fathom
