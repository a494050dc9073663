// A profile for people: a table of where the time went, op by op, against what the device does at best.
#pragma once
#include <string>

#include "tensor/dtype.h"
#include "tensor/profile.h"

namespace fathom {

// Measures the device's limits for products in `dtype` and prints the table to standard error.
void print_profile(Device& device, DType dtype, Profile& profile, const std::string& title);

}  // namespace fathom
