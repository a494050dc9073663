#include "io/parquet/leaf_json.h"

#include <algorithm>
#include <cmath>

namespace fathom::parquet {
namespace {

using Meaning = Annotation::Meaning;

constexpr int64_t seconds_of_day = 86'400;

int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// Days since 1970-01-01 in the Gregorian calendar, counted in eras of 400 years that begin in March, so that
// the leap day is a year's last.
std::string date_text(int64_t days) {
  constexpr int64_t era_days = 146'097, to_1970 = 719'468;
  days += to_1970;
  const int64_t era = floor_div(days, era_days), day = days - era * era_days;
  const int64_t year = (day - day / 1'460 + day / 36'524 - day / 146'096) / 365;
  const int64_t of_year = day - (365 * year + year / 4 - year / 100);
  const int64_t month = (5 * of_year + 2) / 153;  // from March
  const int64_t of_month = of_year - (153 * month + 2) / 5 + 1;
  return fmt::format("{:04}-{:02}-{:02}", era * 400 + year + (month >= 10 ? 1 : 0),
                     month >= 10 ? month - 9 : month + 3, of_month);
}

// Of a value that is not negative. Only digits that say something follow the point.
std::string time_text(int64_t value, int64_t units) {
  const int64_t seconds = value / units;
  std::string text = fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (int64_t fraction = value % units; fraction > 0) {
    text += '.';
    for (int64_t unit = units / 10; fraction > 0; fraction %= unit, unit /= 10) {
      text += static_cast<char>('0' + fraction / unit);
      if (unit == 1) break;
    }
  }
  return text;
}

std::string timestamp_text(int64_t value, const Annotation& a) {
  const int64_t day = floor_div(value, a.units * seconds_of_day);
  const int64_t of_day = value - day * (a.units * seconds_of_day);
  return date_text(day) + "T" + time_text(of_day, a.units) + (a.is_utc ? "Z" : "");
}

// The digits of an unsigned number, highest byte first.
std::string digits_of(std::vector<uint8_t> number) {
  std::string digits;
  while (std::any_of(number.begin(), number.end(), [](uint8_t byte) { return byte != 0; })) {
    unsigned rest = 0;
    for (uint8_t& byte : number) {
      rest = rest << 8 | byte;
      byte = static_cast<uint8_t>(rest / 10);
      rest %= 10;
    }
    digits += static_cast<char>('0' + rest);
  }
  std::reverse(digits.begin(), digits.end());
  return digits.empty() ? "0" : digits;
}

// A two's complement number, highest byte first, with `scale` digits behind the point.
std::string decimal_text(std::vector<uint8_t> number, size_t scale) {
  const bool is_negative = !number.empty() && number[0] >= 0x80;
  if (is_negative) {
    unsigned carry = 1;
    for (size_t i = number.size(); i-- > 0; carry >>= 8)
      number[i] = static_cast<uint8_t>(carry += static_cast<uint8_t>(~number[i]));
  }
  std::string digits = digits_of(std::move(number));
  if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
  if (scale > 0) digits.insert(digits.size() - scale, 1, '.');
  return (is_negative ? "-" : "") + digits;
}

std::vector<uint8_t> big_endian(int64_t value) {
  std::vector<uint8_t> bytes(8);
  for (size_t i = 8; i-- > 0; value >>= 8) bytes[i] = static_cast<uint8_t>(value);
  return bytes;
}

Json number_json(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

double half(std::string_view bytes) {
  const int bits = static_cast<uint8_t>(bytes[0]) | static_cast<uint8_t>(bytes[1]) << 8;
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) value = fraction ? NAN : INFINITY;
  return bits & 0x8000 ? -value : value;
}

std::string uuid_text(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<uint8_t>(bytes[i]));
  }
  return text;
}

Json interval_json(std::string_view bytes) {
  uint32_t parts[3];
  bytes.copy(reinterpret_cast<char*>(parts), sizeof(parts));
  return {{"months", parts[0]}, {"days", parts[1]}, {"milliseconds", parts[2]}};
}

Json integer_json(int64_t value, const Leaf& leaf) {
  const Annotation& a = leaf.annotation;
  switch (a.meaning) {
    case Meaning::unsigned_integer:
      return leaf.type == PhysicalType::int32 ? Json(static_cast<uint32_t>(value))
                                              : Json(static_cast<uint64_t>(value));
    case Meaning::decimal:
      return decimal_text(big_endian(value), static_cast<size_t>(a.scale));
    case Meaning::date:
      return date_text(value);
    case Meaning::time:
      return value < 0 ? Json(value) : Json(time_text(value, a.units));
    case Meaning::timestamp:
      return timestamp_text(value, a);
    default:
      return value;
  }
}

Json bytes_json(std::string_view bytes, const Leaf& leaf) {
  switch (leaf.annotation.meaning) {
    case Meaning::text:
      return std::string(bytes);
    case Meaning::decimal: {
      constexpr size_t most = 64;  // of 154 digits
      if (bytes.size() <= most)
        return decimal_text({bytes.begin(), bytes.end()}, static_cast<size_t>(leaf.annotation.scale));
      break;
    }
    case Meaning::uuid:
      return uuid_text(bytes);
    case Meaning::float16:
      return number_json(half(bytes));
    case Meaning::interval:
      return interval_json(bytes);
    default:
      break;
  }
  return Json::binary({bytes.begin(), bytes.end()});
}

}  // namespace

Json leaf_json(const Value& value, const Leaf& leaf) {
  if (leaf.annotation.meaning == Meaning::nothing) return nullptr;
  switch (leaf.type) {
    case PhysicalType::boolean:
      return value.integer != 0;
    case PhysicalType::int32:
    case PhysicalType::int64:
      return integer_json(value.integer, leaf);
    case PhysicalType::float32:
    case PhysicalType::float64:
      return number_json(value.number);
    default:
      return bytes_json(value.bytes, leaf);
  }
}

}  // namespace fathom::parquet
