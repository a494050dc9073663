// What expressions of a template can call: filters, tests, methods of texts and dictionaries.
#pragma once
#include <span>
#include <string>

#include "text/jinja_place.h"
#include "text/jinja_value.h"

namespace fathom::jinja {

struct Arguments {
  std::vector<Value> values;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at this place or of this name; undefined if it was not given.
  Value get(size_t place, std::string_view name) const;
};

Value call_filter(const Place& at, const std::string& name, const Value& value, const Arguments& arguments);
bool call_test(const Place& at, const std::string& name, const Value& value, const Arguments& arguments);
Value call_method(const Place& at, const std::string& name, const Value& value, const Arguments& arguments);

// object.name and object[key]; undefined where it has none.
Value attribute_of(const Place& at, const Value& object, std::string_view name);
Value item_of(const Place& at, const Value& object, const Value& key);
Value slice_of(const Place& at, const Value& object, const Value& begin, const Value& end, const Value& step);
bool contains(const Place& at, const Value& container, const Value& item);
// The values that a loop goes through: items, keys, or characters.
List iterate(const Place& at, const Value& value);

}  // namespace fathom::jinja
