#include "comm/binding.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/threads.h"

namespace fathom {

Binding binding_of_this_process(int ranks_on_this_host) {
  Binding b{.threads = hardware_threads(), .ranks = ranks_on_this_host};
  b.processors = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  cpu_set_t set;
  CPU_ZERO(&set);
  // It fails where there are more processors than the set has room for: nobody is bound to one then.
  b.allowed = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : b.processors;
  return b;
}

int threads_of_rank(const Binding& b) {
  return b.ranks == 1 ? b.threads : std::min(b.threads, std::max(1, b.processors / b.ranks));
}

std::string binding_warning(const Binding& b) {
  constexpr const char* remedy = "launch with mpirun --bind-to none, or --map-by slot:PE=N for N cores each";
  if (b.threads > b.allowed)
    return fmt::format(
        "each rank has {} threads, but the launcher has bound it to {} processor{}: they take turns; {}",
        b.threads, b.allowed, b.allowed == 1 ? "" : "s", remedy);
  if (b.allowed * b.ranks * 2 < b.processors)
    return fmt::format(
        "the launcher has bound each of the {} ranks here to {} of {} processors: most stay idle; {}",
        b.ranks, b.allowed, b.processors, remedy);
  return {};
}

std::string uneven_hosts_warning(const std::vector<std::string>& host_of_rank) {
  std::map<std::string, int> ranks;
  for (const std::string& host : host_of_rank) ++ranks[host];
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [least, most] = std::minmax_element(ranks.begin(), ranks.end(), fewer);
  if (ranks.empty() || least->second == most->second) return {};
  return fmt::format(
      "{} ranks on {}, but {} on {}: ranks that exchange most may lie on several hosts, and all wait for the "
      "slowest",
      most->second, most->first, least->second, least->first);
}

}  // namespace fathom
