// Whether the launcher has bound a rank to fewer processors than its threads need.
#pragma once
#include <string>
#include <vector>

namespace fathom {

struct Binding {
  int threads = 1;     // of this rank (OpenMP)
  int allowed = 1;     // logical processors that this rank may run on
  int processors = 1;  // logical processors of this host
  int ranks = 1;       // on this host
};

// Threads and processors of this process.
Binding binding_of_this_process(int ranks_on_this_host);

// As many that the ranks of a host have a processor for each.
int threads_of_rank(const Binding& b);

// A warning, or nothing: threads that take turns on too few processors, or processors that no rank may use.
std::string binding_warning(const Binding& b);

// The same for the hosts of all ranks, where some have more of them than others.
std::string uneven_hosts_warning(const std::vector<std::string>& host_of_rank);

}  // namespace fathom
