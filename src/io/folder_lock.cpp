#include "io/folder_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "io/file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::string this_process() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return fmt::format("process {} on {}", ::getpid(), host);
}

// For the error of the second process; nothing depends on it.
void write_owner(const Descriptor& file) {
  const std::string owner = this_process() + "\n";
  if (::ftruncate(file.value(), 0) == 0) [[maybe_unused]]
    const ssize_t written = ::pwrite(file.value(), owner.data(), owner.size(), 0);
}

std::string owner_in(const std::string& path) {
  std::string owner = read_file(path);
  if (!owner.empty() && owner.back() == '\n') owner.pop_back();
  return owner.empty() ? "another process" : owner;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder) : folder_(folder), path_(file_in(folder, ".lock")) {
  std::error_code error;
  made_folder_ = fs::create_directories(folder, error);
  check(!error, "{}: cannot make the folder: {}", folder, error.message());
  do {
    file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    check(static_cast<bool>(file_), "{}: cannot write: {}", path_, reason(errno));
    const Lock lock = try_lock(file_);
    check(lock != Lock::busy, "{}: in use by {}", folder, lock == Lock::busy ? owner_in(path_) : "");
    if (lock == Lock::unsupported) {
      log::warn("{}: the file system has no locks: see to it that no other process works there", folder);
      return;
    }
  } while (!still_at(file_, path_));  // its last owner removed it between open and lock
  write_owner(file_);
}

FolderLock::~FolderLock() {
  ::unlink(path_.c_str());
  std::error_code ignored;
  if (made_folder_) fs::remove(folder_, ignored);  // succeeds only while it is empty
}

}  // namespace fathom
