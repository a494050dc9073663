// The ranks of a test that mpirun has launched (ranks_main.cpp).
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "comm/world.h"
#include "train/small_run.h"
#include "train/trainer.h"

namespace fathom::testing {

World& world();

}  // namespace fathom::testing
