#include "sandbox/supervise.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "sandbox/sandboxed_process.h"

namespace fathom {
namespace {

using Processes = std::vector<std::unique_ptr<SandboxedProcess>>;

void stop_all(const Processes& processes, SandboxEnding ending, const std::string& reason) {
  for (const auto& process : processes) process->stop(ending, reason);
}

bool all_ended(const Processes& processes) {
  return std::all_of(processes.begin(), processes.end(),
                     [](const auto& process) { return process->ended(); });
}

// Empty if the system refuses, which is no mistake of the caller's: too many processes or open files now, for
// example.
Processes start_all(const Isolation& isolation, std::vector<SandboxProgram>& programs, std::string& why_not) {
  Processes processes;
  for (SandboxProgram& program : programs) {
    check_limits(program.limits);
    try {
      processes.push_back(std::make_unique<SandboxedProcess>(isolation, std::move(program)));
    } catch (const Error& error) {
      why_not = error.what();
      return {};
    }
  }
  return processes;
}

// For the others once the first has ended: one whose end was the reason for that is to be seen ending itself.
constexpr auto time_to_end = std::chrono::milliseconds(200);

void tend_until_ended(const Processes& processes) {
  using Clock = std::chrono::steady_clock;
  std::vector<pollfd> polled;
  std::optional<Clock::time_point> first_ended;
  while (!all_ended(processes)) {
    polled.clear();
    for (const auto& process : processes) process->add_polled(polled);
    ::poll(polled.data(), polled.size(), 10);  // limits are checked at least this often (ms)
    for (const auto& process : processes) process->tend();
    if (interrupted()) stop_all(processes, SandboxEnding::interrupted, "interrupted");
    if (!processes.front()->ended()) continue;
    if (!first_ended) first_ended = Clock::now();
    if (Clock::now() - *first_ended > time_to_end)
      stop_all(processes, SandboxEnding::stopped, "the program it ran together with has ended");
  }
}

}  // namespace

std::vector<SandboxResult> supervise(const Isolation& isolation, std::vector<SandboxProgram> programs) {
  std::vector<SandboxResult> results(programs.size());
  if (programs.empty()) return results;
  std::string why_not;
  const Processes processes = start_all(isolation, programs, why_not);
  bool ready = !processes.empty();
  for (const auto& process : processes) ready = process->prepare() && ready;
  if (!processes.empty() && !ready)
    stop_all(processes, SandboxEnding::not_started, "another one did not start");
  if (ready)
    for (const auto& process : processes) process->release();
  if (!processes.empty()) tend_until_ended(processes);
  for (size_t i = 0; i < processes.size(); ++i) results[i] = processes[i]->result();
  if (processes.empty())
    for (SandboxResult& result : results) result.reason = why_not;
  return results;
}

}  // namespace fathom
