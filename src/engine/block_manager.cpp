#include "engine/block_manager.h"

#include <algorithm>
#include <cassert>

#include "base/error.h"

namespace fathom {

BlockManager::BlockManager(int64_t pages, int64_t page_size, bool share_prefixes)
    : page_size_(page_size), share_prefixes_(share_prefixes), pages_(pages) {
  check(pages > 0 && page_size > 0, "the cache needs pages: {} of {} tokens were asked for", pages,
        page_size);
  for (int64_t i = 0; i < pages; ++i) {
    pages_[i].content = contents_.end();
    free_.insert({0, static_cast<int32_t>(i)});
  }
}

int64_t BlockManager::parent_node(const Sequence& s, int64_t index) const {
  return index == 0 ? 0 : pages_[s.pages[index - 1]].node;
}

BlockManager::Key BlockManager::key(const Sequence& s, int64_t index) const {
  const auto first = s.tokens.begin() + index * page_size_;
  return {parent_node(s, index), std::vector<int32_t>(first, first + page_size_)};
}

void BlockManager::evict(Page& page) {
  if (page.content != contents_.end()) contents_.erase(page.content);
  page.content = contents_.end();
  page.node = 0;
}

void BlockManager::acquire(Sequence& s, int32_t id) {
  Page& page = pages_[id];
  if (page.references++ == 0) free_.erase({page.freed, id});
  s.pages.push_back(id);
}

void BlockManager::attach_prefix(Sequence& s) {
  assert(s.pages.empty() && s.cached == 0);
  if (!share_prefixes_) return;
  for (int64_t i = 0; (i + 1) * page_size_ <= s.shareable(); ++i) {
    const auto found = contents_.find(key(s, i));
    if (found == contents_.end()) break;
    acquire(s, found->second.page);
    s.cached += page_size_;
  }
}

bool BlockManager::is_filled_by(const Sequence& other, const Sequence& s) const {
  const int64_t end = s.cached + page_size_;  // attached are whole pages
  if (!share_prefixes_ || end > s.shareable() || end > other.length() || end <= other.cached) return false;
  return std::equal(s.tokens.begin(), s.tokens.begin() + end, other.tokens.begin());
}

bool BlockManager::reserve(Sequence& s, int64_t length) {
  const int64_t missing = pages_for(length) - static_cast<int64_t>(s.pages.size());
  if (missing > free_pages()) return false;
  for (int64_t i = 0; i < missing; ++i) {
    const int32_t id = free_.begin()->second;
    evict(pages_[id]);
    acquire(s, id);
  }
  return true;
}

void BlockManager::publish(const Sequence& s, int64_t before) {
  if (!share_prefixes_) return;
  for (int64_t i = before / page_size_; i < s.cached / page_size_; ++i) {
    if (i > 0 && parent_node(s, i) == 0) return;  // evicted in between
    Page& page = pages_[s.pages[i]];
    const auto [at, added] = contents_.try_emplace(key(s, i), Content{last_node_ + 1, s.pages[i]});
    if (added) ++last_node_, page.content = at;
    page.node = at->second.node;
  }
}

void BlockManager::release(Sequence& s) {
  // The last pages count as unused for longer, so they are reused first: the fewest sequences could share
  // them.
  for (auto id = s.pages.rbegin(); id != s.pages.rend(); ++id) {
    Page& page = pages_[*id];
    assert(page.references > 0);
    if (--page.references > 0) continue;
    page.freed = ++releases_;
    free_.insert({page.freed, *id});
  }
  s.pages.clear();
  s.cached = 0;
}

void BlockManager::clear_prefix_cache() {
  for (Page& page : pages_) evict(page);
}

}  // namespace fathom
