#include "io/atomic_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <filesystem>

#include "base/error.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(fs::symlink_status(path, ignored));
}

bool is_mount_point(const std::string& path) {
  struct statx info {};
  return ::statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &info) == 0 &&
         (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// A link stands for the folder it leads to, "." and ".." for their names.
std::string resolved(const std::string& given) {
  check(!given.empty(), "no folder for the result is named");
  fs::path path(given);
  if (!path.has_filename()) path = path.parent_path();  // "out/"
  std::error_code error;
  const bool indirect = fs::is_symlink(path, error) || path.filename() == "." || path.filename() == "..";
  if (indirect) path = fs::canonical(path, error);
  check(!error || !indirect, "{}: cannot find the folder: {}", given, error.message());
  return path.string();
}

// What would fail only after all the work is refused before it.
void check_replaceable(const std::string& destination, const FilePatterns& ours) {
  std::error_code ignored;
  if (!fs::exists(destination, ignored)) return;
  check(is_folder(destination), "{}: is a file, expected a folder", destination);
  constexpr const char* why = "so it cannot be replaced as a whole; name a folder in it";
  check(!is_mount_point(destination), "{}: is a mount point, {}", destination, why);
  check(!fs::equivalent(destination, ".", ignored), "{}: is the current folder, {}", destination, why);
  for (const std::string& name : names_in(destination))
    check(!matches(ours, name) || !is_folder(fs::path(destination) / name),
          "{}/{}: is a folder, expected a file", destination, name);
}

void sync_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  check(file && ::fsync(file.value()) == 0, "{}: cannot sync: {}", path, reason(errno));
}

}  // namespace

AtomicFolder::AtomicFolder(const std::string& destination, FilePatterns ours)
    : destination_(resolved(destination)), ours_(std::move(ours)) {
  sweep_leftovers_of(destination_, ours_);
  check_replaceable(destination_, ours_);
  make_parents();
  hidden_ = make_hidden_folder(destination_);
}

AtomicFolder::~AtomicFolder() {
  if (committed_) return;
  std::error_code ignored;
  // Nothing of the user's is in it but second links.
  fs::remove_all(hidden_.path, ignored);
}

AtomicFolder::NewParents::~NewParents() {
  std::error_code ignored;
  for (; !made.empty(); made.pop_back()) fs::remove(made.back(), ignored);
}

void AtomicFolder::make_parents() {
  std::vector<fs::path> missing;
  std::error_code error;
  for (fs::path path = folder_of(destination_); !fs::exists(path, error) && !error;
       path = folder_of(path.string()))
    missing.push_back(path);
  for (; !missing.empty() && !error; missing.pop_back())
    if (fs::create_directory(missing.back(), error)) parents_.made.push_back(missing.back().string());
  check(!error, "{}: cannot make the folder: {}", destination_, error.message());
}

void AtomicFolder::commit() {
  for (const std::string& name : names_in(hidden_.path)) {
    assert(matches(ours_, name));
    sync_file(hidden_.path + "/" + name);
  }
  if (is_folder(destination_)) {
    take_over();
    sync_folder(hidden_.path);
    exchange();
  } else {
    sync_folder(hidden_.path);
    put_in_place();
  }
  committed_ = true;
  sync_folder(folder_of(destination_));
  for (const std::string& made : parents_.made) sync_folder(folder_of(made));
  parents_.made.clear();
  dispose_hidden_folder(hidden_.path, destination_, ours_);
  hidden_.lock.close();
}

// The user's files get a second link in the new folder, so that they never leave their place. What cannot be
// linked (a folder; a file, on some file systems) is moved after the exchange.
void AtomicFolder::take_over() {
  for (const std::string& name : names_in(destination_)) {
    const std::string from = destination_ + "/" + name, to = hidden_.path + "/" + name;
    if (!matches(ours_, name)) static_cast<void>(::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0));
  }
  struct stat old {};
  if (::stat(destination_.c_str(), &old) != 0) return;
  // A shared folder stays shared, as far as this user may decide that.
  static_cast<void>(!::fchown(hidden_.lock.value(), static_cast<uid_t>(-1), old.st_gid));
  static_cast<void>(::fchmod(hidden_.lock.value(), old.st_mode & 07777));
}

void AtomicFolder::put_in_place() {
  check(::rename(hidden_.path.c_str(), destination_.c_str()) == 0, "{}: cannot put the folder in place: {}",
        destination_, reason(errno));
}

void AtomicFolder::exchange() {
  if (::renameat2(AT_FDCWD, hidden_.path.c_str(), AT_FDCWD, destination_.c_str(), RENAME_EXCHANGE) == 0)
    return;
  check(errno == EINVAL || errno == ENOSYS, "{}: cannot replace the folder: {}", destination_, reason(errno));
  exchange_by_two_renames();
}

// For file systems that cannot exchange: NFS and some others. A process killed between the two renames leaves
// the name free and both contents whole under hidden names; the next run puts the old one back. The lock says
// that this process is still at it.
void AtomicFolder::exchange_by_two_renames() {
  const std::string aside = replaced_name(destination_), parent = folder_of(destination_);
  const Descriptor old(::open(destination_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  static_cast<void>(try_lock(old));
  check(::rename(destination_.c_str(), aside.c_str()) == 0, "{}: cannot replace the folder: {}", destination_,
        reason(errno));
  if (::rename(hidden_.path.c_str(), destination_.c_str()) != 0) {
    const int error = errno;
    const bool restored = ::rename(aside.c_str(), destination_.c_str()) == 0;
    fail("{}: cannot put the folder in place: {}{}", destination_, reason(error),
         restored ? "" : "; its old content is in " + aside);
  }
  sync_folder(parent);
  // From here on as after an exchange.
  if (::rename(aside.c_str(), hidden_.path.c_str()) != 0) sweep_leftovers_of(destination_, ours_);
}

}  // namespace fathom
