// The output of a sandboxed program: read as it comes, kept up to a limit.
#pragma once
#include <cstdint>

#include "sandbox/pipe.h"
#include "sandbox/program.h"

namespace fathom {

class Capture {
 public:
  explicit Capture(int64_t kept_bytes);

  // The program's end; to be closed here once the program has it.
  Descriptor& writer() { return pipe_.writer; }
  // -1 once everything is read.
  int reader() const { return pipe_.reader.value(); }
  // What is there now, without waiting; at most some megabytes a call, so that a flood holds up nothing else.
  void read_some();
  int64_t total_bytes() const { return static_cast<int64_t>(output_.text.size()) + output_.dropped; }
  CapturedOutput take() { return std::move(output_); }

 private:
  void keep(const char* data, int64_t size);

  int64_t kept_bytes_;
  Pipe pipe_;
  CapturedOutput output_;
};

}  // namespace fathom
