#include "cli/line_reader.h"

#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace fathom {

TerminalReader::Got TerminalReader::read(std::string& line) {
  while (true) {
    if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
      line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      return Got::line;
    }
    if (ended_) {
      line = std::exchange(buffer_, {});
      return line.empty() ? Got::end : Got::line;
    }
    char block[4096];
    const ssize_t n = ::read(STDIN_FILENO, block, sizeof(block));
    if (n < 0 && errno == EINTR) {
      buffer_.clear();
      return Got::interrupt;
    }
    check(n >= 0, "standard input cannot be read");
    if (n == 0) ended_ = true;
    buffer_.append(block, static_cast<size_t>(n));
  }
}

}  // namespace fathom
