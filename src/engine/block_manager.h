// BlockManager: which pages of the latent cache belong to which sequence. Full pages are remembered by their
// tokens and all tokens before them, also after they are freed and until they are reused: a sequence that
// starts alike shares them instead of computing them again. Knows numbers of pages only, no memory.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/sequence.h"

namespace fathom {

class BlockManager {
 public:
  BlockManager(int64_t pages, int64_t page_size, bool share_prefixes = true);

  int64_t page_size() const { return page_size_; }
  int64_t pages() const { return static_cast<int64_t>(pages_.size()); }
  int64_t free_pages() const { return static_cast<int64_t>(free_.size()); }
  int64_t pages_for(int64_t tokens) const { return (tokens + page_size_ - 1) / page_size_; }

  // Gives a sequence without pages those that already hold its beginning (Sequence::shareable), and sets
  // `cached` to what they hold. At least one token is left to run.
  void attach_prefix(Sequence& sequence);
  // Whether `other`, with tokens still to run, is going to fill the page that this sequence with an attached
  // prefix would compute next, so that it could be shared.
  bool is_filled_by(const Sequence& other, const Sequence& sequence) const;
  // Makes room for `length` tokens. False, and nothing changes, when too few pages are free.
  bool reserve(Sequence& sequence, int64_t length);
  // Lets others share the pages that became full when `cached` grew from `before`.
  void publish(const Sequence& sequence, int64_t before);
  // Frees all its pages and sets `cached` to 0.
  void release(Sequence& sequence);
  // No page is shared any more. For when the weights have changed.
  void clear_prefix_cache();

 private:
  // A page's content is one node of a tree: the tokens in it below the node of the page before it. Node
  // numbers are never used twice, so nothing finds what is below an evicted node.
  using Key = std::pair<int64_t, std::vector<int32_t>>;
  struct Content {
    int64_t node;
    int32_t page;
  };
  struct Page {
    int64_t references = 0;
    int64_t freed = 0;                         // when, in releases; the free page longest unused goes first
    int64_t node = 0;                          // 0: unknown
    std::map<Key, Content>::iterator content;  // valid if this page is the one others find
  };

  int64_t parent_node(const Sequence& sequence, int64_t index) const;
  Key key(const Sequence& sequence, int64_t index) const;
  void evict(Page& page);
  void acquire(Sequence& sequence, int32_t id);

  int64_t page_size_;
  bool share_prefixes_;
  std::vector<Page> pages_;
  std::set<std::pair<int64_t, int32_t>> free_;  // (freed, page)
  std::map<Key, Content> contents_;
  int64_t last_node_ = 0, releases_ = 0;
};

}  // namespace fathom
