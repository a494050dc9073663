// A test that needs a GPU says so and is skipped where there is none.
#pragma once
#include <gtest/gtest.h>

#include "support/gpus.h"

namespace fathom::testing {

constexpr const char* no_gpu =
    "needs a GPU and a build with CUDA: tools/gpu_bundle.sh, and on a machine with a GPU tools/gpu_check.sh";

}  // namespace fathom::testing

#define FATHOM_NEEDS_GPU() \
  if (::fathom::testing::gpus() == 0) GTEST_SKIP() << ::fathom::testing::no_gpu
