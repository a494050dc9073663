#include "base/error.h"

#include <filesystem>
#include <new>
#include <system_error>

namespace fathom {

std::string explain(const std::exception& exception) {
  const bool no_memory = dynamic_cast<const std::bad_alloc*>(&exception) != nullptr ||
                         dynamic_cast<const std::length_error*>(&exception) != nullptr;
  if (no_memory) return "not enough memory";
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&exception)) {
    const std::string second = file->path2().empty() ? "" : " and " + file->path2().string();
    return fmt::format("{}{}: {}", file->path1().string(), second, file->code().message());
  }
  if (const auto* system = dynamic_cast<const std::system_error*>(&exception)) {
    // What starting a thread throws.
    const bool thread = system->code() == std::errc::resource_unavailable_try_again;
    return thread ? "no more threads or memory for them: " + system->code().message() : system->what();
  }
  return exception.what();
}

}  // namespace fathom
