#include "sandbox/capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace fathom {

Capture::Capture(int64_t kept_bytes) : kept_bytes_(kept_bytes), pipe_(make_pipe()) {
  ::fcntl(pipe_.reader.value(), F_SETFL, O_NONBLOCK);  // of our end alone
}

void Capture::read_some() {
  std::array<char, 65536> buffer;
  for (int reads = 0; reads < 64 && pipe_.reader; ++reads) {
    const ssize_t size = ::read(pipe_.reader.value(), buffer.data(), buffer.size());
    if (size > 0)
      keep(buffer.data(), size);
    else if (size == 0)
      pipe_.reader.close();
    else if (errno != EINTR)
      return;
  }
}

void Capture::keep(const char* data, int64_t size) {
  const int64_t room = kept_bytes_ - static_cast<int64_t>(output_.text.size());
  const int64_t kept = std::clamp<int64_t>(room, 0, size);
  output_.text.append(data, static_cast<size_t>(kept));
  output_.dropped += size - kept;
}

}  // namespace fathom
