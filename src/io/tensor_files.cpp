#include "io/tensor_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace fathom {
namespace {

constexpr size_t buffer_size = 1 << 20;
constexpr size_t largest_write = 1 << 30;  // the kernel writes at most 2 GiB a call

void check_written(bool good, const std::string& path) {
  check(good, "{}: cannot write: {}", path, reason(errno));
}

void write_at(const Descriptor& file, const std::string& path, uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file.value(), bytes.data(), std::min(bytes.size(), largest_write),
                               static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    check_written(n > 0, path);
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
}

// Room for the whole file; where the file system cannot reserve it, its size alone.
void reserve(const Descriptor& file, const std::string& path, uint64_t bytes) {
  const auto size = static_cast<off_t>(bytes);
  if (::fallocate(file.value(), 0, 0, size) == 0) return;
  check_written(errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR, path);
  check_written(::ftruncate(file.value(), size) == 0, path);
}

}  // namespace

TensorFiles::TensorFiles(const std::string& folder, const std::vector<TensorFile>& files) {
  for (const TensorFile& f : files) {
    const std::string path = file_in(folder, f.name);
    SafetensorsLayout layout = safetensors_layout(path, f.tensors);
    for (const size_t i : layout.order) tensors_.push_back({f.tensors[i], files_.size(), layout.offsets[i]});
    files_.push_back({f.name, path, std::move(layout.head), layout.bytes, {}});
  }
  for (size_t i = 0; i < tensors_.size(); ++i)
    check(index_.emplace(tensors_[i].stored.name, i).second, "{}: cannot write two tensors named '{}'",
          folder, tensors_[i].stored.name);
}

int64_t TensorFiles::find(const std::string& name) const {
  const auto found = index_.find(name);
  check(found != index_.end(), "tensor '{}' is in none of the files that are written", name);
  return found->second;
}

void TensorFiles::create() {
  for (File& file : files_) {
    file.descriptor = Descriptor(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    check_written(static_cast<bool>(file.descriptor), file.path);
    reserve(file.descriptor, file.path, file.bytes);
    write_at(file.descriptor, file.path, 0, file.head);
  }
}

void TensorFiles::open(File& file) const {
  if (file.descriptor) return;
  file.descriptor = Descriptor(::open(file.path.c_str(), O_WRONLY | O_CLOEXEC));
  check_written(static_cast<bool>(file.descriptor), file.path);
}

void TensorFiles::write(int64_t tensor, uint64_t offset, std::span<const std::byte> bytes) {
  const Place& place = tensors_[tensor];
  const uint64_t at = place.offset + offset;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const bool follows = place.file == buffered_file_ && at == buffer_offset_ + buffer_.size();
  if (!follows || buffer_.size() + text.size() > buffer_size) flush();
  if (text.size() >= buffer_size) {
    File& file = files_[place.file];
    open(file);
    return write_at(file.descriptor, file.path, at, text);
  }
  if (buffer_.empty()) buffered_file_ = place.file, buffer_offset_ = at;
  buffer_ += text;
}

void TensorFiles::flush() {
  if (buffer_.empty()) return;
  File& file = files_[buffered_file_];
  open(file);
  write_at(file.descriptor, file.path, buffer_offset_, buffer_);
  buffer_.clear();
}

void TensorFiles::sync() {
  flush();
  for (File& file : files_) {
    if (!file.descriptor) continue;
    check_written(::fsync(file.descriptor.value()) == 0, file.path);
    errno = file.descriptor.close();
    check_written(errno == 0, file.path);
  }
}

}  // namespace fathom
