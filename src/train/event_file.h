// TensorBoard's event files, written by hand: TFRecord frames around three kinds of Event protobufs. Numbers,
// lengths and strings are all the wire format that takes, so there is no dependency on protobuf.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "io/append_file.h"

namespace fathom {

using NamedValue = std::pair<std::string_view, double>;

// CRC-32C (Castagnoli), as in RFC 3720.
uint32_t crc32c(std::string_view data);

// u64 length, masked CRC of the length, data, masked CRC of the data; all little-endian.
std::string tf_record(std::string_view data);

// Serialized Event messages; times are seconds since 1970.
std::string version_event(double time);
// Readers drop what earlier files say about this step and those after it.
std::string restart_event(double time, int64_t step);
// One simple_value (f32) for each name.
std::string scalar_event(double time, int64_t step, std::span<const NamedValue> values);

class EventFile {
 public:
  // A new file events.out.tfevents.TIME.HOST.PID in `dir`; earlier files of the folder count up to
  // `first_step`, exclusively.
  EventFile(const std::string& dir, int64_t first_step);

  const std::string& path() const { return file_->path(); }
  void scalars(double time, int64_t step, std::span<const NamedValue> values);
  void sync() { file_->sync(); }

 private:
  std::optional<AppendFile> file_;
};

}  // namespace fathom
