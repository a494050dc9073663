#include "cli/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace fathom {

std::string read_input() {
  std::string text;
  char block[1 << 16];
  for (size_t n; (n = std::fread(block, 1, sizeof(block), stdin)) > 0;) text.append(block, n);
  check(std::ferror(stdin) == 0, "cannot read standard input: {}", std::strerror(errno));
  return text;
}

void write_output(std::string_view text, bool flush) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || (flush && std::fflush(stdout) != 0))
    fail("cannot write to standard output: {}", std::strerror(errno));
}

void write_message(const std::string& text) {
  std::fputs(text.c_str(), stderr);
}

void flush_output() {
  check(std::ferror(stdout) == 0, "cannot write to standard output");
  write_output({}, true);
}

void prepare_standard_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  // Opened the wrong way round, so that using them fails as before.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

}  // namespace fathom
