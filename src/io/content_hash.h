// Tells one content from another: XXH3 with 128 bits. It finds damage and mix-ups at the memory's speed; it
// is no protection against forgery.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;  // of xxhash.h

namespace fathom {

class ContentHash {
 public:
  ContentHash();

  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  // Of all that was added: "xxh3:" and 32 hexadecimal digits.
  std::string digest() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

std::string content_hash(std::span<const std::byte> bytes);

}  // namespace fathom
