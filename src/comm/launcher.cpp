#include "comm/launcher.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/error.h"

namespace fathom {
namespace {

// -1: not set, or no number.
int number_in(const char* variable) {
  const char* value = std::getenv(variable);
  const std::string_view text = value ? value : "";
  int number = -1;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number).ptr;
  return end == text.data() + text.size() ? number : -1;
}

}  // namespace

Launch launched_as() {
  constexpr struct {
    const char *ranks, *rank;
  } launchers[] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                   {"PMI_SIZE", "PMI_RANK"},
                   {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}};
  for (const auto& names : launchers) {
    const int ranks = number_in(names.ranks), rank = number_in(names.rank);
    if (ranks >= 1 && rank >= 0 && rank < ranks) return {ranks, rank, names.ranks};
  }
  return {};
}

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

void let_lower_ranks_speak(int rank) {
  if (rank == 0) return;
  std::signal(SIGTERM,
              SIG_DFL);  // the launcher's, when a lower one has ended: no clean end is wanted any more
  std::this_thread::sleep_for(std::chrono::milliseconds(2000 + 50 * std::min(rank, 32)));
}

void refuse(const Launch& launch, const std::string& reason) {
  let_lower_ranks_speak(launch.rank);
  fail("launched as {} ranks ({}), but {}", launch.ranks, launch.variable, reason);
}

}  // namespace fathom
