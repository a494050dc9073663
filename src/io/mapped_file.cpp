#include "io/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "io/mapping_guard.h"

namespace fathom {

MappedFile::MappedFile(std::string path) : path_(std::move(path)) {
  // Looked at before it is opened: opening a pipe would wait for a writer.
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) fail_to_open(path_);
  check(!S_ISDIR(info.st_mode), "{}: is a directory, expected a file", path_);
  check(S_ISREG(info.st_mode), "{}: is not a regular file", path_);
  file_ = open_for_reading(path_);
  if (::fstat(file_.value(), &info) != 0) fail("{}: cannot read its size: {}", path_, reason(errno));
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_.value(), 0);
  if (mapped == MAP_FAILED) fail("{}: cannot map {} bytes: {}", path_, size_, reason(errno));
  data_ = static_cast<const std::byte*>(mapped);
  guard_ = guard_mapping(bytes(), path_);
}

MappedFile::~MappedFile() {
  if (!data_) return;
  release_guard(guard_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      guard_(std::exchange(other.guard_, nullptr)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(guard_, other.guard_);
  return *this;
}

int MappedFile::read(uint64_t offset, std::span<std::byte> to) const noexcept {
  while (!to.empty()) {
    const ssize_t n = ::pread(file_.value(), to.data(), to.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return ENODATA;
    to = to.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return 0;
}

void MappedFile::let_go(size_t begin, size_t end) const noexcept {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  begin = begin / page * page, end = end / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

void MappedFile::check_size() const {
  struct stat info {};
  if (::fstat(file_.value(), &info) != 0) return;
  check(static_cast<size_t>(info.st_size) >= size_,
        "{}: the file shrank from {} to {} bytes while it was in use", path_, size_,
        static_cast<int64_t>(info.st_size));
}

}  // namespace fathom
