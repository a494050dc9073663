#include "io/content_hash.h"

#define XXH_STATIC_LINKING_ONLY  // the state's members
#include <xxhash.h>

#include <cstring>

#include "base/error.h"

namespace fathom {
namespace {

HashValue value_of(const XXH128_hash_t& hash) {
  return {hash.high64, hash.low64};
}

}  // namespace

std::string HashValue::text() const {
  return fmt::format("xxh3:{:016x}{:016x}", high, low);
}

void ContentHash::Free::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

ContentHash::ContentHash() : state_(XXH3_createState()) {
  check(state_ && XXH3_128bits_reset(state_.get()) == XXH_OK, "no memory for a hash");
}

// All but the address of the library's table, which every process has at a place of its own.
ContentHash::ContentHash(const State& state) : ContentHash() {
  static_assert(sizeof(XXH3_state_s) == sizeof(State));
  const unsigned char* table = state_->extSecret;
  std::memcpy(state_.get(), state.data(), sizeof(state));
  state_->extSecret = table;
}

ContentHash::State ContentHash::state() const {
  State state;
  std::memcpy(state.data(), state_.get(), sizeof(state));
  return state;
}

void ContentHash::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

HashValue ContentHash::value() const {
  return value_of(XXH3_128bits_digest(state_.get()));
}

std::string content_hash(std::span<const std::byte> bytes) {
  return value_of(XXH3_128bits(bytes.data(), bytes.size())).text();
}

HashValue hash_value(std::string_view text) {
  return value_of(XXH3_128bits(text.data(), text.size()));
}

}  // namespace fathom
