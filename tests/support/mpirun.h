// Runs a program of the tests on several ranks.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "support/program.h"

namespace fathom::testing {

inline bool has_mpirun() {
  static const bool found = run_shell("command -v mpirun").exit_code == 0;
  return found;
}

constexpr const char* no_mpirun =
    "needs a build with MPI, and mpirun: apt-get install openmpi-bin libopenmpi-dev";

// Where FATHOM_WITH_MPI is known (fathom_comm).
#define FATHOM_NEEDS_MPIRUN() \
  if (!FATHOM_WITH_MPI || !::fathom::testing::has_mpirun()) GTEST_SKIP() << ::fathom::testing::no_mpirun

// The program of this name beside this test.
inline std::string beside(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

// Leaks of MPI's own are not looked for. More ranks than processors, none bound to one, and whoever waits
// lets others work; as root where the tests are run so. `command` may go on with ": -n 1 COMMAND" for more
// ranks.
inline std::string mpirun(int ranks, const std::string& command) {
  const std::string root = geteuid() == 0 ? "--allow-run-as-root " : "";
  return "OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 timeout 400 "
         "mpirun " +
         root + "--mca mpi_yield_when_idle 1 --oversubscribe --bind-to none -n " + std::to_string(ranks) +
         " " + command;
}

// A test program of ranks (comm/ranks_main.cpp) passes.
inline void expect_passes_on(int ranks, const std::string& program) {
  const Outcome run = run_shell(mpirun(ranks, beside(program)));
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_NE(run.out.find("[  PASSED  ]"), std::string::npos) << run.out << run.err;
}

// How often the text has this part.
inline int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace fathom::testing
