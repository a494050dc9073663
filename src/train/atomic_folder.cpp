#include "train/atomic_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/error.h"

namespace fathom {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view marker = ".unfinished-";

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && (::fsync(descriptor) == 0 || errno == EINVAL);
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  check(synced, "{}: cannot sync: {}", folder.string(), std::generic_category().message(error));
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  check(!error, "{}: cannot rename to {}: {}", from.string(), to.string(), error.message());
}

fs::path hidden_beside(const fs::path& destination, const char* what) {
  return destination.parent_path() / fmt::format("{}{}{}", marker, what, destination.filename().string());
}

}  // namespace

AtomicFolder::AtomicFolder(std::string destination)
    : destination_(std::move(destination)), temporary_(hidden_beside(destination_, "")) {
  std::error_code error;
  fs::remove_all(temporary_, error);
  fs::create_directories(temporary_, error);
  check(!error, "{}: cannot create: {}", temporary_, error.message());
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  const fs::path old = hidden_beside(destination_, "old-");
  sync_folder(temporary_);
  std::error_code ignored;
  fs::remove_all(old, ignored);
  if (fs::exists(destination_)) rename_folder(destination_, old);
  rename_folder(temporary_, destination_);
  committed_ = true;
  const fs::path parent = fs::path(destination_).parent_path();
  sync_folder(parent.empty() ? fs::path(".") : parent);
  fs::remove_all(old, ignored);
}

void AtomicFolder::remove_leftovers(const std::string& parent) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(parent, error))
    if (entry.path().filename().string().starts_with(marker)) leftovers.push_back(entry.path());
  for (const fs::path& path : leftovers) fs::remove_all(path, error);
}

}  // namespace fathom
