// POSIX files behind io/file.h. The loops retry interrupted calls; each error carries the path and strerror's
// words.
#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/error.h"

namespace fathom {
namespace {

constexpr size_t buffer_size = 1 << 20;
constexpr size_t largest_write = 1 << 30;  // the kernel writes at most 2 GiB a call

// Removes PATH.tmp.PID.N of processes that were killed; those of live ones are locked.
void sweep_temporaries(const std::string& path) {
  const std::string prefix = std::filesystem::path(path).filename().string() + ".tmp.";
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_of(path), error), end; !error && it != end;
       it.increment(error))
    if (const std::string name = it->path().filename().string();
        name.starts_with(prefix) &&
        name.find_first_not_of("0123456789.", prefix.size()) == std::string::npos &&
        it->symlink_status(error).type() == std::filesystem::file_type::regular)
      found.push_back(it->path().string());
  for (const std::string& leftover : found) {
    const Descriptor file(::open(leftover.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file && try_lock(file) == Lock::taken && still_at(file, leftover)) ::unlink(leftover.c_str());
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  const Descriptor file = open_for_reading(path);
  struct stat info {};
  std::string content;
  if (::fstat(file.value(), &info) == 0 && S_ISREG(info.st_mode))
    content.reserve(static_cast<size_t>(info.st_size) + 4096);
  for (size_t used = 0;;) {
    content.resize(std::max(content.capacity(), used + 4096));
    const ssize_t n = ::read(file.value(), content.data() + used, content.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("{}: cannot read: {}", path, reason(errno));
    used += static_cast<size_t>(n);
    content.resize(used);
    if (n == 0) return content;
  }
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  struct stat info {};
  if (::stat(path_.c_str(), &info) == 0) {
    check(!S_ISDIR(info.st_mode), "{}: cannot write: is a directory", path_);
    check(S_ISREG(info.st_mode), "{}: cannot write: is not a regular file", path_);
  }
  sweep_temporaries(path_);
  static std::atomic<int> counter{0};
  do {
    temporary_ = fmt::format("{}.tmp.{}.{}", path_, ::getpid(), counter++);
    descriptor_ = Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!descriptor_ && errno != EEXIST) fail("{}: cannot write: {}", path_, reason(errno));
    // Another process may have swept it away before it was locked.
  } while (!descriptor_ || try_lock(descriptor_) == Lock::busy || !still_at(descriptor_, temporary_));
  buffer_.reserve(buffer_size);
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  if (!descriptor_) return;
  ::unlink(temporary_.c_str());
  descriptor_.close();
}

void AtomicFile::fail_with(int error) {
  discard();
  fail("{}: cannot write: {}", path_, reason(error));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  check(static_cast<bool>(descriptor_), "{}: cannot write: already committed or failed", path_);
  if (bytes.size() >= buffer_size) {
    flush();
    write_through(bytes);
  } else {
    if (buffer_.size() + bytes.size() > buffer_size) flush();
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  position_ += bytes.size();
}

void AtomicFile::flush() {
  write_through(std::as_bytes(std::span(buffer_)));
  buffer_.clear();
}

void AtomicFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_.value(), bytes.data(), std::min(bytes.size(), largest_write));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_with(errno);
    if (n == 0) fail_with(ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::commit() {
  check(static_cast<bool>(descriptor_), "{}: cannot write: already committed or failed", path_);
  flush();
  if (::fsync(descriptor_.value()) != 0) fail_with(errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with(errno);
  // The temporary name is gone now, so from here on there is nothing to discard.
  if (const int error = descriptor_.close()) fail("{}: cannot write: {}", path_, reason(error));
  sync_folder(folder_of(path_));
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace fathom
