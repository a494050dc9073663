// Scheduler: which tokens of which sequences the next forward pass takes. Pure policy over sequences and page
// counts; no model, no memory.
//
// Decoding sequences go first, then prompts under way, then waiting prompts in order of arrival, all within a
// budget of tokens: a long prompt is run in chunks and delays no other sequence (chunked prefill). Of
// sequences that begin alike one computes the pages that they share, and the others wait for it. When pages
// run out, the youngest sequence is preempted: its pages are freed, and it waits at the head of the queue to
// be computed again.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "engine/block_manager.h"
#include "engine/sequence.h"

namespace fathom {

// Run the sequence's next `tokens` tokens, those from `cached` on.
struct Scheduled {
  Sequence* sequence;
  int64_t tokens;

  // Whether the next token can be sampled after this.
  bool completes() const { return tokens == sequence->pending(); }
};

class Scheduler {
 public:
  Scheduler(BlockManager& blocks, int64_t max_sequences, int64_t token_budget);

  // The sequence must stay where it is until remove(). Alone it must fit the cache, up to its longest.
  void add(Sequence& sequence) { waiting_.push_back(&sequence); }
  // Room for the scheduled tokens is reserved. Empty only when there are no sequences.
  std::vector<Scheduled> schedule();
  // Removes a sequence, finished or not, and releases its pages.
  void remove(Sequence& sequence);

  int64_t max_sequences() const { return max_sequences_; }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }

 private:
  void continue_running(bool decoding);
  bool make_room(Sequence& sequence, int64_t length);
  void preempt(Sequence& victim);
  void admit();
  bool waits_for_page(const Sequence& sequence) const;

  BlockManager& blocks_;
  int64_t max_sequences_, token_budget_;
  std::deque<Sequence*> waiting_;
  std::vector<Sequence*> running_;  // oldest first
  // The step being planned:
  std::vector<Scheduled> plan_;
  int64_t budget_ = 0;
  bool preempted_ = false;
};

}  // namespace fathom
