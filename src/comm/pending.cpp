#include "comm/pending.h"

#include <cassert>
#include <exception>
#include <utility>

namespace fathom {

Pending::~Pending() {
  if (!operation_) return;
  assert(std::uncaught_exceptions() > 0 && "a collective was started and never waited for");
  operation_->abandon();
}

Pending& Pending::operator=(Pending&& other) {
  assert(!operation_ && "a collective was started and never waited for");
  operation_ = std::move(other.operation_);
  return *this;
}

void Pending::wait() {
  if (operation_) operation_->wait();
  operation_.reset();
}

}  // namespace fathom
