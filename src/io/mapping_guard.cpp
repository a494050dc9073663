// The handler may only read memory and call async-signal-safe functions: the mappings are a list that grows
// at its head and whose nodes are reused, never freed; adding and releasing take a mutex, the handler takes
// none.
#include "io/mapping_guard.h"

#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "io/descriptor.h"

namespace fathom {

struct GuardedMapping {
  std::atomic<const std::byte*> begin{nullptr};  // null: free; set last and cleared first
  size_t size = 0;
  std::string path;
  GuardedMapping* next = nullptr;
};

namespace {

static_assert(std::atomic<GuardedMapping*>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

std::atomic<GuardedMapping*> all{nullptr};
std::atomic<bool> reported{false};
struct sigaction handler_before {};

[[noreturn]] void report(const GuardedMapping& mapping) {
  // Threads that meet the same file at the same time wait for the first one to end the process.
  while (reported.exchange(true)) ::pause();
  constexpr char program[] = "fathom: ",
                 what[] = ": the file shrank or could not be read while it was in use\n";
  const iovec line[] = {{const_cast<char*>(program), sizeof program - 1},
                        {const_cast<char*>(mapping.path.data()), mapping.path.size()},
                        {const_cast<char*>(what), sizeof what - 1}};
  [[maybe_unused]] const ssize_t written = ::writev(STDERR_FILENO, line, 3);
  ::_exit(1);
}

void on_bus_error(int signal, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (const GuardedMapping* m = all.load(); m; m = m->next) {
    const auto begin = reinterpret_cast<uintptr_t>(m->begin.load());
    if (begin != 0 && address >= begin && address - begin < m->size) report(*m);
  }
  // Pending until this handler returns, and then handled as it would have been without it.
  ::sigaction(SIGBUS, &handler_before, nullptr);
  ::raise(signal);
}

void install_handler() {
  struct sigaction handler {};
  handler.sa_sigaction = on_bus_error;
  handler.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&handler.sa_mask);
  check(::sigaction(SIGBUS, &handler, &handler_before) == 0, "cannot handle SIGBUS: {}", reason(errno));
}

std::mutex mutex;
std::vector<GuardedMapping*>& free_guards() {
  static auto* const list = new std::vector<GuardedMapping*>;  // outlives every mapping
  return *list;
}

}  // namespace

GuardedMapping* guard_mapping(std::span<const std::byte> mapping, const std::string& path) {
  const std::lock_guard lock(mutex);
  static const bool installed = (install_handler(), true);
  static_cast<void>(installed);
  GuardedMapping* guard = nullptr;
  if (!free_guards().empty()) {
    guard = free_guards().back();
    free_guards().pop_back();
  } else {
    guard = new GuardedMapping;
    guard->next = all.load();
    all.store(guard);
    free_guards().reserve(free_guards().capacity() + 1);  // so that releasing it cannot fail
  }
  guard->path = path;
  guard->size = mapping.size();
  guard->begin.store(mapping.data());
  return guard;
}

void release_guard(GuardedMapping* guard) noexcept {
  const std::lock_guard lock(mutex);
  guard->begin.store(nullptr);
  free_guards().push_back(guard);
}

}  // namespace fathom
