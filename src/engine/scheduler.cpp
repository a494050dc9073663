#include "engine/scheduler.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/error.h"

namespace fathom {

Scheduler::Scheduler(BlockManager& blocks, int64_t max_sequences, int64_t token_budget)
    : blocks_(blocks), max_sequences_(max_sequences), token_budget_(token_budget) {
  check(max_sequences > 0, "max_sequences must be at least 1, it is {}", max_sequences);
  check(token_budget >= max_sequences, "the token budget, {}, must be at least max_sequences, {}",
        token_budget, max_sequences);
}

std::vector<Scheduled> Scheduler::schedule() {
  plan_.clear();
  budget_ = token_budget_;
  preempted_ = false;
  continue_running(/*decoding=*/true);
  continue_running(/*decoding=*/false);
  if (!preempted_) admit();
  return std::move(plan_);
}

void Scheduler::continue_running(bool decoding) {
  // By index: preemption takes sequences off the end.
  for (size_t i = 0; i < running_.size() && budget_ > 0; ++i) {
    Sequence& s = *running_[i];
    if ((s.pending() == 1) != decoding) continue;
    const int64_t n = std::min(s.pending(), budget_);
    if (!make_room(s, s.cached + n)) return;  // it was itself the youngest
    plan_.push_back({&s, n});
    budget_ -= n;
  }
}

// Preempts the youngest sequences until there is room; false when `s` itself was preempted.
bool Scheduler::make_room(Sequence& s, int64_t length) {
  while (!blocks_.reserve(s, length)) {
    Sequence& victim = *running_.back();
    assert(&victim != &s || running_.size() > 1);  // alone it fits
    preempt(victim);
    if (&victim == &s) return false;
  }
  return true;
}

void Scheduler::preempt(Sequence& victim) {
  running_.pop_back();
  waiting_.push_front(&victim);
  blocks_.release(victim);
  preempted_ = true;
  const auto planned =
      std::find_if(plan_.begin(), plan_.end(), [&](const Scheduled& p) { return p.sequence == &victim; });
  if (planned == plan_.end()) return;
  budget_ += planned->tokens;
  plan_.erase(planned);
}

// In order of arrival: a sequence starts when the whole of it fits, and those behind it wait until then. One
// that waits for a page keeps its place among those that run, and those behind it may start.
void Scheduler::admit() {
  int64_t kept = 0;
  for (auto next = waiting_.begin();
       next != waiting_.end() && running() + kept < max_sequences_ && budget_ > 0;) {
    Sequence& s = **next;
    blocks_.attach_prefix(s);
    if (waits_for_page(s)) {
      blocks_.release(s);
      ++kept, ++next;
      continue;
    }
    if (!blocks_.reserve(s, s.length())) return blocks_.release(s);
    next = waiting_.erase(next);
    running_.push_back(&s);
    const int64_t n = std::min(s.pending(), budget_);
    plan_.push_back({&s, n});
    budget_ -= n;
  }
}

// The one that fills it runs in every step until it has, or is preempted or removed.
bool Scheduler::waits_for_page(const Sequence& s) const {
  return std::any_of(running_.begin(), running_.end(),
                     [&](const Sequence* other) { return blocks_.is_filled_by(*other, s); });
}

void Scheduler::remove(Sequence& s) {
  std::erase(running_, &s);
  std::erase(waiting_, &s);
  blocks_.release(s);
}

}  // namespace fathom
