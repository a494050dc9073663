// Values of a template while it is rendered, as Python has them. A text knows of each of its bytes whether
// the template wrote it or the data: what a user wrote must never become a control token
// (text/chat_template.h).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "io/json.h"
#include "text/jinja_place.h"

namespace fathom::jinja {

struct Text {
  std::string bytes;
  std::string data;  // of the same length: 1 where the byte came from the data, 0 where from the template

  Text() = default;
  Text(std::string_view text, bool from_data)
      : bytes(text), data(text.size(), static_cast<char>(from_data)) {}

  size_t size() const { return bytes.size(); }
  Text sub(size_t begin, size_t count = std::string::npos) const;
  Text& operator+=(const Text& more);
};

class Value;
using List = std::vector<Value>;
using Dict = std::vector<std::pair<std::string, Value>>;  // in order, as Python's

class Value {
 public:
  struct Undefined {};
  struct None {};
  // Lists and dictionaries are shared, as in Python: what namespace() gives can be changed by everybody.
  using ListPtr = std::shared_ptr<List>;
  using DictPtr = std::shared_ptr<Dict>;

  Value() : v_(Undefined()) {}
  Value(None) : v_(None()) {}
  Value(bool b) : v_(b) {}
  Value(int64_t n) : v_(n) {}
  Value(double x) : v_(x) {}
  Value(Text text) : v_(std::move(text)) {}
  Value(List list) : v_(std::make_shared<List>(std::move(list))) {}
  Value(Dict dict) : v_(std::make_shared<Dict>(std::move(dict))) {}
  // All texts count as data.
  static Value from_json(const Json& json);
  static Value from_json(const OrderedJson& json);

  template <class T>
  const T* get() const {
    return std::get_if<T>(&v_);
  }
  bool is_undefined() const { return get<Undefined>() != nullptr; }
  bool is_none() const { return get<None>() != nullptr; }
  const Text* text() const { return get<Text>(); }
  const List* list() const;
  Dict* dict() const;
  bool is_number() const { return get<bool>() || get<int64_t>() || get<double>(); }
  double number() const;  // of a number
  bool is_integer() const { return get<bool>() || get<int64_t>(); }
  int64_t integer() const;  // of an integer
  const char* type_name() const;

  bool truth() const;
  // As Python's str() and repr(): texts stay what they are in the first.
  Text str() const;
  Text repr() const;

  friend bool operator==(const Value& a, const Value& b);

 private:
  std::variant<Undefined, None, bool, int64_t, double, Text, ListPtr, DictPtr> v_;
};

// The value under a key, or nothing.
const Value* find(const Dict& dict, std::string_view key);
void set(Dict& dict, const std::string& key, Value value);

// As json.dumps(value, ensure_ascii=False, indent=indent) writes it; indent < 0: on one line. All of it
// counts as data. Error for what is undefined.
Text to_json(const Place& at, const Value& value, int64_t indent);

}  // namespace fathom::jinja
