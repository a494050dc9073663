// A hash table from 64-bit hashes to small values: open addressing in one array, at most 70% full. The keys
// are hashes already, so their low bits are the place.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fathom {

template <class Value>
class FlatMap {
 public:
  // Empty again, with room for n keys.
  void reset(size_t n) {
    size_t capacity = 16;
    while (capacity * 7 < n * 10) capacity *= 2;
    slots_.assign(capacity, Slot{});
    size_ = 0;
  }
  size_t size() const { return size_; }
  size_t memory() const { return slots_.capacity() * sizeof(Slot); }

  const Value* find(uint64_t key) const {
    if (slots_.empty()) return nullptr;
    const Slot& slot = slots_[place(key)];
    return slot.key == 0 ? nullptr : &slot.value;
  }

  // The value of the key, and whether it is new: then it is `value`.
  std::pair<Value*, bool> insert(uint64_t key, const Value& value) {
    if (size_ * 10 >= slots_.size() * 7) grow();
    Slot& slot = slots_[place(key)];
    const bool is_new = slot.key == 0;
    if (is_new) slot = {stored(key), value}, ++size_;
    return {&slot.value, is_new};
  }

 private:
  struct Slot {
    uint64_t key = 0;  // 0: free
    Value value{};
  };
  static uint64_t stored(uint64_t key) { return key == 0 ? 1 : key; }

  size_t place(uint64_t key) const {
    key = stored(key);
    size_t i = key & (slots_.size() - 1);
    while (slots_[i].key != 0 && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return i;
  }

  void grow() {
    std::vector<Slot> old = std::exchange(slots_, {});
    slots_.resize(old.empty() ? 16 : 2 * old.size());
    for (const Slot& slot : old)
      if (slot.key != 0) slots_[place(slot.key)] = slot;
  }

  std::vector<Slot> slots_;  // a power of two
  size_t size_ = 0;
};

}  // namespace fathom
