// A test that needs a GPU says so and is skipped where there is none.
#pragma once
#include <gtest/gtest.h>

#include "support/gpus.h"

#define FATHOM_NEEDS_GPU() \
  if (::fathom::testing::gpus() == 0) GTEST_SKIP() << "needs a GPU, and a build with CUDA"
