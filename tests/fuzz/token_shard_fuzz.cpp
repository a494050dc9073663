// Any bytes as a token shard: either one Error, or every token can be read and lies in the vocabulary.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/token_shard.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int file = ::memfd_create("shard", 0);
  if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    const fathom::TokenShards shards({"/proc/self/fd/" + std::to_string(file)});
    std::vector<int32_t> ids(static_cast<size_t>(shards.tokens()));
    shards.copy(0, shards.tokens(), ids.data());
    for (const int32_t id : ids)
      if (id < 0 || id >= shards.vocab_size()) std::abort();
  } catch (const fathom::Error&) {
  }
  ::close(file);
  return 0;
}
