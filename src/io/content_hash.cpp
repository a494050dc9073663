#include "io/content_hash.h"

#include <xxhash.h>

#include "base/error.h"

namespace fathom {
namespace {

std::string hex(const XXH128_hash_t& hash) {
  return fmt::format("xxh3:{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

void ContentHash::Free::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

ContentHash::ContentHash() : state_(XXH3_createState()) {
  check(state_ && XXH3_128bits_reset(state_.get()) == XXH_OK, "no memory for a hash");
}

void ContentHash::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

std::string ContentHash::digest() const {
  return hex(XXH3_128bits_digest(state_.get()));
}

std::string content_hash(std::span<const std::byte> bytes) {
  return hex(XXH3_128bits(bytes.data(), bytes.size()));
}

}  // namespace fathom
