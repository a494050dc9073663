#include "train/event_file.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <filesystem>

#include "base/error.h"

namespace fathom {
namespace {

constexpr std::array<uint32_t, 256> crc_table = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
    table[i] = c;
  }
  return table;
}();

template <class T>
std::string little_endian(T value) {
  std::string out;
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> 8 * i);
  return out;
}

std::string masked_crc(std::string_view data) {
  return little_endian(std::rotr(crc32c(data), 15) + 0xa282ead8u);
}

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  return out + static_cast<char>(value);
}

// One field of a message: its number and wire type, then the value.
enum WireType { wire_varint = 0, wire_64 = 1, wire_bytes = 2, wire_32 = 5 };

std::string tag(int field, WireType type) {
  return varint(static_cast<uint64_t>(field << 3 | type));
}
std::string integer_field(int field, int64_t value) {
  return tag(field, wire_varint) + varint(static_cast<uint64_t>(value));
}
std::string double_field(int field, double value) {
  return tag(field, wire_64) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string float_field(int field, float value) {
  return tag(field, wire_32) + little_endian(std::bit_cast<uint32_t>(value));
}
std::string bytes_field(int field, std::string_view value) {
  return tag(field, wire_bytes) + varint(value.size()) + std::string(value);
}

// Event: 1 wall_time, 2 step (left out when zero), then one of 3 file_version, 5 summary, 7 session_log.
std::string event(double time, int64_t step, int field, std::string_view content) {
  return double_field(1, time) + (step ? integer_field(2, step) : "") + bytes_field(field, content);
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || !name[0]) return "localhost";
  return name.data();
}

}  // namespace

uint32_t crc32c(std::string_view data) {
  uint32_t c = ~0u;
  for (const char byte : data) c = c >> 8 ^ crc_table[(c ^ static_cast<unsigned char>(byte)) & 255];
  return ~c;
}

std::string tf_record(std::string_view data) {
  const std::string length = little_endian(static_cast<uint64_t>(data.size()));
  return length + masked_crc(length) + std::string(data) + masked_crc(data);
}

std::string version_event(double time) {
  return event(time, 0, 3, "brain.Event:2");
}

std::string restart_event(double time, int64_t step) {
  constexpr int status_start = 1;
  return event(time, step, 7, integer_field(1, status_start));  // SessionLog: 1 status
}

std::string scalar_event(double time, int64_t step, std::span<const NamedValue> values) {
  std::string summary;  // Summary: 1 value, repeated; Value: 1 tag, 2 simple_value
  for (const auto& [name, value] : values)
    summary += bytes_field(1, bytes_field(1, name) + float_field(2, static_cast<float>(value)));
  return event(time, step, 5, summary);
}

EventFile::EventFile(const std::string& dir, int64_t first_step) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string name = fmt::format("{}/events.out.tfevents.{:010}.{}.{}", dir, static_cast<int64_t>(now),
                                       host_name(), ::getpid());
  std::string path = name;
  for (int i = 1; std::filesystem::exists(path); ++i) path = fmt::format("{}.{}", name, i);
  file_.emplace(path, AppendFile::Mode::create_new);
  file_->append(tf_record(version_event(now)) + tf_record(restart_event(now, first_step)));
}

void EventFile::scalars(double time, int64_t step, std::span<const NamedValue> values) {
  file_->append(tf_record(scalar_event(time, step, values)));
}

}  // namespace fathom
