#include "train/event_file.h"

#include <gmock/gmock.h>

#include <limits>

#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

TEST(EventFile, Crc32cVectors) {
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending += static_cast<char>(i);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c(ascending), 0x46dd794eu);
}

// How the files of TensorFlow itself begin.
TEST(EventFile, VersionRecord) {
  EXPECT_EQ(hex(version_event(1.0)), "09000000000000f03f1a0d" + hex("brain.Event:2"));
  EXPECT_EQ(hex(tf_record(version_event(1.0)).substr(0, 13)), "1800000000000000a37f4b2209");
}

TEST(EventFile, RecordFraming) {
  const std::string record = tf_record("123456789");
  EXPECT_EQ(record.size(), 8 + 4 + 9 + 4u);
  EXPECT_EQ(record.substr(12, 9), "123456789");
  EXPECT_EQ(hex(record.substr(21)), "e5b08ac7");  // rotr(0xe3069283, 15) + 0xa282ead8
}

TEST(EventFile, MessagesByteByByte) {
  const NamedValue values[] = {{"loss", 1.5}, {"lr", -2.0}};
  EXPECT_EQ(hex(scalar_event(1.0, 300, values)),
            "09000000000000f03f"          // 1: 1.0
            "10ac02"                      // 2: 300
            "2a18"                        // 5: summary of 24 bytes
            "0a0b0a046c6f7373150000c03f"  // value: "loss", 1.5f
            "0a090a026c7215000000c0");    // value: "lr", -2f
  EXPECT_EQ(hex(restart_event(1.0, 7)), "09000000000000f03f10073a020801");
}

TEST(EventFile, EachFileGetsANameOfItsOwn) {
  TempDir dir;
  EventFile a(dir.path(), 0), b(dir.path(), 0);
  EXPECT_NE(a.path(), b.path());
  EXPECT_THAT(a.path(), HasSubstr("/events.out.tfevents."));
  const size_t before = read_file(a.path()).size();
  const NamedValue values[] = {{"loss", std::numeric_limits<double>::quiet_NaN()}};
  a.scalars(1.0, 1, values);
  EXPECT_EQ(read_file(a.path()).size(), before + tf_record(scalar_event(1.0, 1, values)).size());
  EXPECT_EQ(read_file(b.path()).size(), before);
}

TEST(EventFile, FullDiskIsOneError) {
  AppendFile full("/dev/full", AppendFile::Mode::extend);
  EXPECT_THAT(error_of([&] { full.append("text"); }),
              HasSubstr("/dev/full: cannot write: No space left on device"));
  TempDir dir;
  EXPECT_THAT(error_of([&] { EventFile(dir / "gone", 0); }), HasSubstr("cannot open it for writing"));
}

}  // namespace
}  // namespace fathom
