// Ctrl-C and SIGTERM as a flag that long work polls between steps, so that it can stop at a clean point.
#pragma once

namespace fathom {

// From now on the first SIGINT or SIGTERM only sets the flag; a second one ends the process at once.
void catch_interrupts();
bool interrupted();

}  // namespace fathom
