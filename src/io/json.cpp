// The typed reads behind JsonObject.
#include "io/json.h"

#include <cmath>

#include "base/error.h"

namespace fathom {
namespace {

// The value as it stands in the file, shortened for an error line.
std::string shown(const Json& json) {
  if (json.is_array()) return "a list";
  if (json.is_object()) return "an object";
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

// True for numbers without a fraction; floats must be small enough to be exact.
bool is_integral(const Json& json) {
  if (json.is_number_integer()) return true;
  if (!json.is_number_float()) return false;
  const double value = json.get<double>();
  return std::abs(value) <= 0x1p53 && value == std::trunc(value);
}

[[noreturn]] void fail_range(const Json& json, const JsonPlace& place, int64_t low, uint64_t high) {
  fail("{}: field '{}' must be between {} and {}, got {}", place.where, place.field, low, high, shown(json));
}

}  // namespace

std::string json_quoted(std::string_view text) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    fail("not valid UTF-8, so it cannot be written as JSON: {}", shown(Json(text)));
  }
}

void JsonPlace::fail_type(const char* expected, const Json& got) const {
  fail("{}: field '{}' must be {}, got {}", where, field, expected, shown(got));
}

namespace json_detail {

bool read_bool(const Json& json, const JsonPlace& place) {
  if (!json.is_boolean()) place.fail_type("true or false", json);
  return json.get<bool>();
}

int64_t read_signed(const Json& json, const JsonPlace& place, int64_t low, int64_t high) {
  if (!is_integral(json)) place.fail_type("an integer", json);
  const bool too_large = json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(high);
  if (too_large) fail_range(json, place, low, static_cast<uint64_t>(high));
  const int64_t value = json.get<int64_t>();
  if (value < low || value > high) fail_range(json, place, low, static_cast<uint64_t>(high));
  return value;
}

uint64_t read_unsigned(const Json& json, const JsonPlace& place, uint64_t high) {
  if (!is_integral(json)) place.fail_type("an integer", json);
  const bool negative = !json.is_number_unsigned() && json.get<double>() < 0;
  if (negative || json.get<uint64_t>() > high) fail_range(json, place, 0, high);
  return json.get<uint64_t>();
}

double read_number(const Json& json, const JsonPlace& place, double limit) {
  if (!json.is_number()) place.fail_type("a number", json);
  const double value = json.get<double>();
  check(std::abs(value) <= limit, "{}: field '{}' is too large: {}", place.where, place.field, shown(json));
  return value;
}

std::string read_string(const Json& json, const JsonPlace& place) {
  if (!json.is_string()) place.fail_type("a string", json);
  return json.get<std::string>();
}

}  // namespace json_detail

JsonObject::JsonObject(const Json& json, std::string where) : json_(&json), where_(std::move(where)) {
  check(json.is_object(), "{}: must be a JSON object, got {}", where_, shown(json));
}

JsonObject JsonObject::child(const std::string& key) const {
  const Json* value = lookup(key);
  if (!value) fail_missing(key);
  if (!value->is_object()) place(key).fail_type("an object", *value);
  JsonObject object(*value, where_);
  object.prefix_ = prefix_ + key + ".";
  return object;
}

const Json* JsonObject::lookup(const std::string& key) const {
  const auto found = json_->find(key);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

void JsonObject::fail_missing(const std::string& key) const {
  fail("{}: field '{}' is {}", where_, prefix_ + key, contains(key) ? "null" : "missing");
}

}  // namespace fathom
