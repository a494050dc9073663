// A seccomp filter: system calls that generated programs have no use for, and that reach around the sandbox's
// limits or far into the kernel, fail with EPERM.
#pragma once
#include <string>

namespace fathom {

// Classic BPF instructions as bubblewrap reads them; empty on a processor whose call numbers are not known
// here.
std::string system_call_filter();

}  // namespace fathom
