#include "base/parse_number.h"

#include <gmock/gmock.h>

#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

template <class T>
std::string number_error(const std::string& text, const Allowed<T>& allowed = {}) {
  return error_of([&] { parse_number<T>("--n", text, allowed); });
}

TEST(ParseNumber, IsStrict) {
  EXPECT_EQ(parse_number<int64_t>("--n", "010"), 10);
  EXPECT_EQ(parse_number<int64_t>("--n", "-7"), -7);
  EXPECT_EQ(parse_number<double>("--n", "2.5e-1"), 0.25);
  EXPECT_EQ(parse_number<uint64_t>("--n", "18446744073709551615"), UINT64_MAX);
  for (const char* text :
       {"", " ", "x", "1x", "1 ", " 1", "0x10", "1e3", "1.0", "1,2", "+1", "--1", "1_000", "nan"})
    EXPECT_EQ(number_error<int64_t>(text), fmt::format("--n must be a whole number, got '{}'", text));
  for (const char* text : {"", "nan", "inf", "-inf", "0x1p3", "1.5x", "1e", "1,5"})
    EXPECT_EQ(number_error<double>(text), fmt::format("--n must be a number, got '{}'", text));
}

TEST(ParseNumber, NamesTheRange) {
  EXPECT_EQ(number_error<double>("1.5", {0, 1}), "--n must be between 0 and 1, got 1.5");
  EXPECT_EQ(number_error<double>("0", {.low = 0, .high = 1, .low_excluded = true}),
            "--n must be above 0 and at most 1, got 0");
  EXPECT_EQ(number_error<double>("1", {.low = 0, .high = 1, .high_excluded = true}),
            "--n must be at least 0 and below 1, got 1");
  EXPECT_EQ(number_error<int64_t>("0", {.low = 1}), "--n must be at least 1, got 0");
  EXPECT_EQ(number_error<int64_t>("x", {.low = 1}), "--n must be a whole number, at least 1, got 'x'");
  EXPECT_EQ(number_error<int64_t>("9223372036854775808", {.low = 1}),
            "--n must be between 1 and 9223372036854775807, got 9223372036854775808");
  EXPECT_EQ(number_error<uint64_t>("-1"), "--n must be at least 0, got -1");
  EXPECT_THAT(number_error<uint64_t>("18446744073709551616"),
              HasSubstr("between 0 and 18446744073709551615"));
  EXPECT_EQ(number_error<double>("1e999"), "--n is out of range for a 64-bit number: 1e999");
}

}  // namespace
}  // namespace fathom
