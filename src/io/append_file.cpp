#include "io/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace fathom {

AppendFile::AppendFile(std::string path, Mode mode) : path_(std::move(path)) {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (mode == Mode::create_new ? O_EXCL : 0);
  descriptor_ = ::open(path_.c_str(), flags, 0666);
  check(descriptor_ >= 0, "{}: cannot open it for writing: {}", path_, std::strerror(errno));
  size_ = ::lseek(descriptor_, 0, SEEK_END);
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::append(std::string_view piece) {
  for (std::string_view left = piece; !left.empty();) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      const bool taken_back = ::ftruncate(descriptor_, size_) == 0;
      fail("{}: cannot write: {}{}", path_, std::strerror(error), taken_back ? "" : "; its end is torn");
    }
    left.remove_prefix(static_cast<size_t>(written));
  }
  size_ += static_cast<int64_t>(piece.size());
}

void AppendFile::sync() {
  check(::fdatasync(descriptor_) == 0, "{}: cannot write: {}", path_, std::strerror(errno));
}

}  // namespace fathom
