#include "io/descriptor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace fathom {

int Descriptor::close() noexcept {
  if (value_ < 0) return 0;
  return ::close(std::exchange(value_, -1)) == 0 ? 0 : errno;
}

void fail_to_open(const std::string& path) {
  check(!path.empty(), "a file name is empty");
  fail("{}: cannot open: {}", path, reason(errno));
}

Descriptor open_for_reading(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail_to_open(path);
  return file;
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

std::string file_in(const std::string& folder, const std::string& name) {
  return (std::filesystem::path(folder) / name).string();
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Lock try_lock(const Descriptor& file) {
  while (::flock(file.value(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    return errno == EWOULDBLOCK ? Lock::busy : Lock::unsupported;
  }
  return Lock::taken;
}

bool still_at(const Descriptor& file, const std::string& path) {
  struct stat open {
  }, named{};
  return ::fstat(file.value(), &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

void sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool synced = folder && (::fsync(folder.value()) == 0 || errno == EINVAL);
  check(synced, "{}: cannot sync: {}", path, reason(errno));
}

}  // namespace fathom
