// Ctrl-C, SIGTERM and SIGHUP (the terminal is gone) as a flag that long work polls between steps, so that it
// can stop at a clean point.
#pragma once

namespace fathom {

// From now on the first of these signals only sets the flag; a second one ends the process at once. SIGHUP
// stays ignored where it was, as under nohup.
void catch_interrupts();
bool interrupted();

}  // namespace fathom
