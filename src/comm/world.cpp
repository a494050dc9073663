#include "comm/world.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "comm/agreement.h"
#include "comm/binding.h"
#include "comm/nccl.h"
#include "comm/program_hash.h"

namespace fathom {
namespace {

std::string shortened(const std::string& text) {
  constexpr size_t most = 200;
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

}  // namespace

World::World() {
  const Launch launch = launched_as();
  if (launch.ranks == 1) return;
  // Kernels that wait for another rank run beside others. A kernel that is loaded when it is first launched
  // would wait for them to end, while that rank may wait for it.
  setenv("CUDA_MODULE_LOADING", "EAGER", 0);
  // Nor may streams share a queue, in which one waits behind another: each communicator has one.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  session_ = start_session(launch);
  everyone_.emplace(session_->everyone(1, {}));
  rank_ = everyone_->rank(), size_ = everyone_->size();
  const auto here = session_->on_this_host();
  rank_on_host_ = here->rank(), ranks_on_host_ = here->size();
}

Communicator World::communicator(const Device& device, const CommLimits& limits) {
  if (!session_) return Communicator::alone(device);
  Communicator host(session_->everyone(device.threads(), limits), nullptr, &device);
  if (device.on_host()) return host;
  auto nccl = nccl_backend(device, host, waits());
  return Communicator(std::move(nccl), std::make_unique<Communicator>(std::move(host)), &device);
}

int World::threads_of_rank() const {
  return fathom::threads_of_rank(binding_of_this_process(ranks_on_host_));
}

void World::check_ranks() {
  if (!session_) return;
  check_same("program", program_hash());
  check_same("MPI", session_->library_version());
  const std::string uneven = uneven_hosts_warning(gather_texts(*everyone_, host_name()));
  if (rank_ == 0 && !uneven.empty()) log::warn("{}", uneven);
  const std::vector<std::string> warnings =
      gather_texts(*everyone_, binding_warning(binding_of_this_process(ranks_on_host_)));
  for (const std::string& warning : warnings) {
    if (warning.empty()) continue;
    if (rank_ == 0) log::warn("{}", warning);
    return;
  }
}

void World::check_same(const std::string& name, const std::string& value) {
  if (!session_) return;
  const std::vector<std::string> values = gather_texts(*everyone_, value);
  for (int r = 1; r < size_; ++r)
    check(values[r] == values[0], "{} is not the same on all ranks: '{}' on rank 0, '{}' on rank {}", name,
          shortened(values[0]), shortened(values[r]), r);
}

void World::watch_for_hangs(double seconds) {
  if (!session_) return;
  session_->watch(seconds, gather_texts(*everyone_, host_name()),
                  [this](const std::string& message) { abort(message); });
}

std::string World::from_rank_0(const std::string& text) {
  return session_ ? gather_texts(*everyone_, rank_ == 0 ? text : "")[0] : text;
}

void World::abort(const std::string& message) {
  let_lower_ranks_speak(rank_);
  const std::string line =
      fmt::format("fathom: rank {} of {} on {}: {}\n", rank_, size_, host_name(), message);
  std::fwrite(line.data(), 1, line.size(), stderr);
  if (session_) session_->abort();
  std::_Exit(1);
}

}  // namespace fathom
