// Tells one content from another: XXH3 with 128 bits. It finds damage and mix-ups at the memory's speed; it
// is no protection against forgery.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;  // of xxhash.h

namespace fathom {

struct HashValue {
  uint64_t high = 0, low = 0;

  // "xxh3:" and 32 hexadecimal digits.
  std::string text() const;
};

class ContentHash {
 public:
  // Where a hash stands between two add(): another process of the same program can go on from there.
  using State = std::array<uint64_t, 72>;

  ContentHash();
  explicit ContentHash(const State& state);
  State state() const;

  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  // Of all that was added.
  HashValue value() const;
  std::string digest() const { return value().text(); }

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

std::string content_hash(std::span<const std::byte> bytes);
HashValue hash_value(std::string_view text);

}  // namespace fathom
