// A pipe whose ends no other program inherits.
#pragma once
#include "io/descriptor.h"

namespace fathom {

struct Pipe {
  Descriptor reader, writer;
};
// Error if the system refuses.
Pipe make_pipe();

}  // namespace fathom
