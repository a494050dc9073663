#include "sandbox/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace fathom {

Pipe make_pipe() {
  int ends[2];
  const bool made = ::pipe2(ends, O_CLOEXEC) == 0;
  check(made, "cannot make a pipe: {}", reason(errno));
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

}  // namespace fathom
