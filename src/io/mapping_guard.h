// When a mapped file has become shorter, or its disk cannot be read, the access to its memory raises SIGBUS.
// The handler here then ends the process with the error line and exit code that any Error has, from whatever
// thread it comes, instead of letting the system kill it without a word.
#pragma once
#include <cstddef>
#include <span>
#include <string>

namespace fathom {

struct GuardedMapping;

// Guards this memory, a mapping of `path`, until it is released. The first call installs the handler; a
// SIGBUS of any other memory goes to the handler that was there before.
GuardedMapping* guard_mapping(std::span<const std::byte> mapping, const std::string& path);
void release_guard(GuardedMapping* guard) noexcept;

}  // namespace fathom
