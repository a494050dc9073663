// Scripts of the tree that need Python packages which the build does not: FATHOM_PEER_PYTHON names a Python
// that has them (tools/README.md says which).
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "support/paths.h"
#include "support/program.h"

// Skips a test unless there is one.
#define FATHOM_NEEDS_PEER_PYTHON(packages) \
  if (!std::getenv("FATHOM_PEER_PYTHON"))  \
  GTEST_SKIP() << "FATHOM_PEER_PYTHON is not set: it names a Python with " packages

namespace fathom::testing {

// `arguments`: the script, from the root of the tree, and what it is given.
inline Outcome run_peer(const std::string& arguments) {
  return run_shell("cd '" + source_dir() + "' && OMP_NUM_THREADS=1 '" + std::getenv("FATHOM_PEER_PYTHON") +
                   "' " + arguments);
}

}  // namespace fathom::testing
