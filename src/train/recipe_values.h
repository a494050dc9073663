// How the members of a recipe are read from JSON and written as JSON.
#pragma once
#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/parse_number.h"
#include "train/recipe_table.h"

namespace fathom {

template <class T>
void read_member(const Json& json, const JsonPlace& place, T& out) {
  out = read_value<T>(json, place);
}
inline void read_member(const Json& json, const JsonPlace& place, std::vector<std::string>& out) {
  if (json.is_string())  // one path needs no brackets
    out = {json.get<std::string>()};
  else
    out = read_value<std::vector<std::string>>(json, place);
}
inline void read_member(const Json& json, const JsonPlace& place, Decay& out) {
  const auto name = read_value<std::string>(json, place);
  check(name == "constant" || name == "step" || name == "cosine",
        "{}: '{}' is '{}': expected constant, step or cosine", place.where, place.field, name);
  out = name == "step" ? Decay::step : name == "cosine" ? Decay::cosine : Decay::constant;
}
inline void read_member(const Json& json, const JsonPlace& place, ScheduleKind& out) {
  const auto name = read_value<std::string>(json, place);
  const auto kind = std::find_if(schedule_kinds.begin(), schedule_kinds.end(),
                                 [&](ScheduleKind k) { return name == name_of(k); });
  check(kind != schedule_kinds.end(), "{}: '{}' is '{}': expected 1f1b, zb-h1 or zb-2p", place.where,
        place.field, name);
  out = *kind;
}
inline void read_member(const Json& json, const JsonPlace& place, DType& out) {
  const auto name = read_value<std::string>(json, place);
  check(name == "f32" || name == "bf16", "{}: '{}' is '{}': expected f32 or bf16", place.where, place.field,
        name);
  out = dtype_named(name);
}

inline void read_member(const Json& json, const JsonPlace& place, Json& out) {
  if (!json.is_array()) place.fail_type("a list", json);
  out = json;
}

template <class T>
OrderedJson written(const T& value) {
  return value;
}
inline OrderedJson written(const Json& list) {
  return OrderedJson::parse(list.dump());
}
inline OrderedJson written(const Decay& decay) {
  return decay == Decay::step ? "step" : decay == Decay::cosine ? "cosine" : "constant";
}
inline OrderedJson written(const ScheduleKind& kind) {
  return name_of(kind);
}
inline OrderedJson written(const DType& dtype) {
  return std::string(name_of(dtype));
}

// The same for a number of type T.
template <class T>
Allowed<T> allowed_in(const Range& range) {
  Allowed<T> allowed;
  if (range.low > -huge) allowed.low = static_cast<T>(range.low);
  if (range.high < huge) allowed.high = static_cast<T>(range.high);
  if (std::is_floating_point_v<T> && range.high == below_1.high)
    allowed.high = 1, allowed.high_excluded = true;
  return allowed;
}

inline void check_number(double value, const Range& range, const JsonPlace& place) {
  check(value >= range.low && value <= range.high, "{}: '{}' must be {}, got {:g}", place.where, place.field,
        range_text(allowed_in<double>(range)), value);
}

template <class T>
void check_range(const T& value, const Range& range, const JsonPlace& place) {
  if constexpr (std::is_arithmetic_v<T>) check_number(static_cast<double>(value), range, place);
  if constexpr (std::is_same_v<T, std::vector<double>>)
    for (double v : value) check_number(v, range, place);
}

}  // namespace fathom
