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
  collective_ = other.collective_;
  return *this;
}

void Pending::wait() {
  if (!operation_) return;
  if (Profile* profile = collective_.profile()) {
    const size_t begin = profile->mark();
    operation_->wait();
    const size_t end = profile->mark();
    profile->add_wait(collective_.name, begin, end);
    profile->add_transfer(collective_.name, collective_.bytes,
                          operation_->under_way(*profile).value_or(Profile::Span{begin, end}));
  } else {
    operation_->wait();
  }
  operation_.reset();
}

}  // namespace fathom
