// JSON with errors a person can act on: parse errors name the file and the byte, JsonObject's errors name the
// field, e.g. "config.json: field 'hidden_size' must be an integer, got "abc"".
#pragma once
#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fathom {

using Json = nlohmann::json;                 // reading: keys sorted, fast lookup
using OrderedJson = nlohmann::ordered_json;  // writing: keys stay as inserted

// Nesting deeper than this is refused, so that no recursive walk over a parsed value can overflow the stack.
inline constexpr int max_json_depth = 256;

// `name` stands in the errors. Strict: nothing may follow the value, a NUL byte is an Error anywhere, and so
// is a field that an object has twice. A byte order mark is skipped with a warning.
Json parse_json(std::string_view text, const std::string& name);
Json read_json(const std::string& path);
// `text` as a JSON string with its quotes. Throws Error when it is not valid UTF-8.
std::string json_quoted(std::string_view text);

// What read_value is to name in its errors: "WHERE: field 'FIELD' must be ...".
struct JsonPlace {
  std::string where, field;
  [[noreturn]] void fail_type(const char* expected, const Json& got) const;
};

namespace json_detail {
bool read_bool(const Json&, const JsonPlace&);
// Integral floats such as 1e4 are integers too; anything outside low..high is an Error.
int64_t read_signed(const Json&, const JsonPlace&, int64_t low, int64_t high);
uint64_t read_unsigned(const Json&, const JsonPlace&, uint64_t high);
double read_number(const Json&, const JsonPlace&, double limit);
std::string read_string(const Json&, const JsonPlace&);

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
}  // namespace json_detail

// T: bool, any integer, float, double, std::string, Json, or a vector of these.
template <class T>
T read_value(const Json& json, const JsonPlace& place) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::same_as<T, Json>) {
    return json;
  } else if constexpr (std::same_as<T, bool>) {
    return json_detail::read_bool(json, place);
  } else if constexpr (std::signed_integral<T>) {
    return static_cast<T>(json_detail::read_signed(json, place, Limits::min(), Limits::max()));
  } else if constexpr (std::unsigned_integral<T>) {
    return static_cast<T>(json_detail::read_unsigned(json, place, Limits::max()));
  } else if constexpr (std::floating_point<T>) {
    return static_cast<T>(json_detail::read_number(json, place, Limits::max()));
  } else if constexpr (std::same_as<T, std::string>) {
    return json_detail::read_string(json, place);
  } else {
    static_assert(json_detail::is_vector<T>::value, "read_value does not know this type");
    if (!json.is_array()) place.fail_type("a list", json);
    T values;
    for (size_t i = 0; i < json.size(); ++i)
      values.push_back(read_value<typename T::value_type>(
          json[i], {place.where, place.field + "[" + std::to_string(i) + "]"}));
    return values;
  }
}

// A reader of one JSON object. It refers to `json`, which must outlive it. has(), required() and optional()
// take a field that is null as absent; contains() and defaulted() tell the two apart.
class JsonObject {
 public:
  JsonObject(const Json& json, std::string where);
  JsonObject(Json&&, std::string) = delete;

  bool has(const std::string& key) const { return lookup(key) != nullptr; }

  template <class T>
  T required(const std::string& key) const {
    const Json* value = lookup(key);
    if (!value) fail_missing(key);
    return read_value<T>(*value, place(key));
  }
  template <class T>
  T optional(const std::string& key, T otherwise) const {
    const Json* value = lookup(key);
    return value ? read_value<T>(*value, place(key)) : otherwise;
  }
  // True also for a field that is null.
  bool contains(const std::string& key) const { return json_->contains(key); }
  // `otherwise` only when the field is absent: null is an Error.
  template <class T>
  T defaulted(const std::string& key, T otherwise) const {
    return contains(key) ? read_value<T>((*json_)[key], place(key)) : otherwise;
  }
  // A nested object; its errors say 'key.field'.
  JsonObject child(const std::string& key) const;

  const Json& json() const { return *json_; }
  const std::string& where() const { return where_; }

 private:
  const Json* lookup(const std::string& key) const;
  JsonPlace place(const std::string& key) const { return {where_, prefix_ + key}; }
  [[noreturn]] void fail_missing(const std::string& key) const;

  const Json* json_;
  std::string where_, prefix_;
};

}  // namespace fathom
