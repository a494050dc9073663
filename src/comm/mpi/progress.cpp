#include "comm/mpi/progress.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace fathom::mpi {
namespace {

// Long enough to take little from the rank's own work, short enough for the steps of a reduction.
constexpr std::chrono::microseconds between_looks{100};

}  // namespace

Progress::~Progress() {
  if (!helper_.joinable()) return;
  {
    const auto locked = lock();
    ending_ = true;
  }
  wake_.notify_one();
  helper_.join();
}

void Progress::start_helper() {
  helper_ = std::thread([this] { help(); });
}

void Progress::help() {
  auto locked = lock();
  while (!ending_) {
    if (active_.empty() || error_) {
      asleep_ = true;
      wake_.wait(locked);
      asleep_ = false;
      continue;
    }
    try {
      std::erase_if(active_, [](MpiOperation* o) { return o->finishes(true); });
    } catch (...) {
      error_ = std::current_exception();
    }
    locked.unlock();
    std::this_thread::sleep_for(between_looks);
    locked.lock();
  }
}

std::unique_ptr<Operation> Progress::begin(std::unique_ptr<MpiOperation> operation) {
  active_.push_back(operation.get());
  if (asleep_) wake_.notify_one();
  return operation;
}

void Progress::wait(MpiOperation& operation) {
  const auto locked = lock();
  if (error_) std::rethrow_exception(error_);
  if (watch_) watch_->begin_wait();
  while (std::find(active_.begin(), active_.end(), &operation) != active_.end()) {
    std::erase_if(active_, [](MpiOperation* o) { return o->finishes(false); });
    if (watch_) watch_->look();
  }
}

void Progress::forget(MpiOperation& operation) noexcept {
  const auto locked = lock();
  std::erase(active_, &operation);
}

}  // namespace fathom::mpi
