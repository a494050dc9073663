// How this process was launched: alone, or as one of several ranks.
#pragma once
#include <string>

namespace fathom {

struct Launch {
  int ranks = 1;
  int rank = 0;
  std::string variable{};  // of the environment, that says so; empty when none does
};

// From the variables that mpirun (Open MPI; MPICH and Intel MPI) and srun set for each rank. SLURM_NTASKS
// does not count: it is set too in a batch script, which runs once.
Launch launched_as();

// The name of the machine that this process runs on.
std::string host_name();

// Waits for some seconds that grow with the rank, but not on the lowest: an error that all ranks meet, such
// as a missing file, is told by the lowest, and its end ends the others before they repeat it.
void let_lower_ranks_speak(int rank);

// An Error: launched as several ranks, which cannot work together for this reason. The lowest rank throws it
// first.
[[noreturn]] void refuse(const Launch& launch, const std::string& reason);

}  // namespace fathom
