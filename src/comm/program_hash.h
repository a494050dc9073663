// The identity of the program that runs.
#pragma once
#include <string>

namespace fathom {

// Of the contents of this program's file, 16 hexadecimal digits (FNV-1a, 64 bits). An Error when it cannot be
// read.
std::string program_hash();

}  // namespace fathom
