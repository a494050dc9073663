#include "io/parquet/schema_element.h"

#include <limits>
#include <optional>

namespace fathom::parquet {
namespace {

using Type = ThriftReader::Type;
using Meaning = Annotation::Meaning;

constexpr int64_t millis = 1'000, micros = 1'000'000, nanos = 1'000'000'000;

// ConvertedType. Its timestamps are in UTC.
Annotation converted(int64_t type) {
  switch (type) {
    case 0:
    case 4:
    case 19:
      return {.meaning = Meaning::text};  // UTF8, ENUM, JSON
    case 1:
      return {.meaning = Meaning::map};
    case 2:
      return {.meaning = Meaning::map_entry};
    case 3:
      return {.meaning = Meaning::list};
    case 5:
      return {.meaning = Meaning::decimal};
    case 6:
      return {.meaning = Meaning::date};
    case 7:
      return {.meaning = Meaning::time, .units = millis};
    case 8:
      return {.meaning = Meaning::time, .units = micros};
    case 9:
      return {.meaning = Meaning::timestamp, .units = millis, .is_utc = true};
    case 10:
      return {.meaning = Meaning::timestamp, .units = micros, .is_utc = true};
    case 11:
    case 12:
    case 13:
    case 14:
      return {.meaning = Meaning::unsigned_integer};
    case 21:
      return {.meaning = Meaning::interval};
    default:
      return {};
  }
}

// TimeType and TimestampType: isAdjustedToUTC, and a union of units.
Annotation time_type(ThriftReader& thrift, Type type, Meaning meaning) {
  Annotation a{.meaning = meaning, .units = millis};
  thrift.structure(type, [&](int id, Type t) {
    if (id == 1) return a.is_utc = thrift.boolean(t), true;
    if (id != 2) return false;
    return thrift.structure(t, [&](int unit, Type) {
      a.units = unit == 1 ? millis : unit == 2 ? micros : nanos;
      return false;
    });
  });
  return a;
}

Annotation integer_type(ThriftReader& thrift, Type type) {
  Annotation a;
  thrift.structure(type, [&](int id, Type t) {
    if (id == 2 && !thrift.boolean(t)) a.meaning = Meaning::unsigned_integer;
    return id == 2;
  });
  return a;
}

// LogicalType, a union: one field says which, its struct the rest.
std::optional<Annotation> logical(ThriftReader& thrift, Type type) {
  std::optional<Annotation> a;
  thrift.structure(type, [&](int id, Type t) {
    switch (id) {
      case 1:
      case 4:
      case 12:
        a = Annotation{.meaning = Meaning::text};
        return false;  // STRING, ENUM, JSON
      case 2:
        a = Annotation{.meaning = Meaning::map};
        return false;
      case 3:
        a = Annotation{.meaning = Meaning::list};
        return false;
      case 5:
        a = Annotation{.meaning = Meaning::decimal};
        return false;  // its scale is the element's too
      case 6:
        a = Annotation{.meaning = Meaning::date};
        return false;
      case 7:
        a = time_type(thrift, t, Meaning::time);
        return true;
      case 8:
        a = time_type(thrift, t, Meaning::timestamp);
        return true;
      case 10:
        a = integer_type(thrift, t);
        return true;
      case 11:
        a = Annotation{.meaning = Meaning::nothing};
        return false;
      case 14:
        a = Annotation{.meaning = Meaning::uuid};
        return false;
      case 15:
        a = Annotation{.meaning = Meaning::float16};
        return false;
      default:
        return false;
    }
  });
  return a;
}

}  // namespace

SchemaElement read_schema_element(ThriftReader& thrift) {
  SchemaElement e;
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  std::optional<Annotation> old_annotation, annotation;
  int64_t scale = 0;
  thrift.structure([&](int id, Type type) {
    const auto number = [&](int64_t high, const char* what) { return thrift.integer(type, 0, high, what); };
    switch (id) {
      case 1:
        return e.type = static_cast<PhysicalType>(number(7, "a column's type")), true;
      case 2:
        return e.length = static_cast<int>(number(most, "type_length")), true;
      case 3:
        return e.repetition = static_cast<Repetition>(number(2, "a field's repetition")), true;
      case 4:
        return e.name = thrift.binary(type), true;
      case 5:
        return e.children = number(most, "num_children"), true;
      case 6:
        return old_annotation = converted(thrift.integer(type)), true;
      case 7:
        return scale = number(1000, "the scale of a decimal"), true;
      case 10:
        return annotation = logical(thrift, type), true;
      default:
        return false;
    }
  });
  e.annotation = annotation ? *annotation : old_annotation.value_or(Annotation{});
  e.annotation.scale = static_cast<int>(scale);
  return e;
}

}  // namespace fathom::parquet
