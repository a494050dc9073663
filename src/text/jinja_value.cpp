#include "text/jinja_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace fathom::jinja {
namespace {

template <class AnyJson>
Value value_of(const AnyJson& json) {
  if (json.is_null()) return Value::None();
  if (json.is_boolean()) return json.template get<bool>();
  const bool large = json.is_number_unsigned() && json.template get<uint64_t>() > uint64_t{INT64_MAX};
  if (json.is_number_integer() && !large) return json.template get<int64_t>();
  if (json.is_number()) return json.template get<double>();
  if (json.is_string()) return Text(json.template get_ref<const std::string&>(), true);
  if (json.is_array()) {
    List list;
    for (const auto& item : json) list.push_back(value_of(item));
    return list;
  }
  Dict dict;
  for (const auto& [key, item] : json.items()) dict.emplace_back(key, value_of(item));
  return dict;
}

// The shortest digits that give the number back, with a point as Python writes them.
std::string number_text(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), x).ptr;
  std::string text(buffer, end);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

Text from_template(std::string_view text) {
  return Text(text, false);
}

// A text between quotes, with Python's escapes.
Text quoted(const Text& text) {
  const char quote =
      text.bytes.find('\'') != std::string::npos && text.bytes.find('"') == std::string::npos ? '"' : '\'';
  Text out = from_template(std::string(1, quote));
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text.bytes[i];
    std::string escaped;
    if (c == '\\' || c == quote || c == '\n' || c == '\t' || c == '\r') escaped += '\\';
    escaped += c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : c;
    out += Text(escaped, text.data[i] != 0);
  }
  return out += from_template(std::string(1, quote));
}

void append_json(const Place& at, std::string& out, const Value& value, int64_t indent, int64_t depth) {
  const auto new_line = [&](int64_t deeper) {
    if (indent >= 0) out += "\n" + std::string(static_cast<size_t>(indent * (depth + deeper)), ' ');
  };
  const std::string_view comma = indent >= 0 ? "," : ", ";
  at.check(!value.is_undefined(), "tojson: the value is undefined");
  if (const List* list = value.list()) {
    if (list->empty()) return void(out += "[]");
    out += '[';
    for (size_t i = 0; i < list->size(); ++i) {
      if (i > 0) out += comma;
      new_line(1);
      append_json(at, out, (*list)[i], indent, depth + 1);
    }
    new_line(0);
    out += ']';
  } else if (const Dict* dict = value.dict()) {
    if (dict->empty()) return void(out += "{}");
    out += '{';
    for (size_t i = 0; i < dict->size(); ++i) {
      if (i > 0) out += comma;
      new_line(1);
      out += json_quoted((*dict)[i].first) + ": ";
      append_json(at, out, (*dict)[i].second, indent, depth + 1);
    }
    new_line(0);
    out += '}';
  } else if (const Text* text = value.text()) {
    out += json_quoted(text->bytes);
  } else if (value.is_none()) {
    out += "null";
  } else if (const bool* b = value.get<bool>()) {
    out += *b ? "true" : "false";
  } else {
    out += value.str().bytes;
  }
}

}  // namespace

Text Text::sub(size_t begin, size_t count) const {
  Text part;
  begin = std::min(begin, size());
  part.bytes = bytes.substr(begin, count), part.data = data.substr(begin, count);
  return part;
}

Text& Text::operator+=(const Text& more) {
  bytes += more.bytes, data += more.data;
  return *this;
}

Value Value::from_json(const Json& json) {
  return value_of(json);
}
Value Value::from_json(const OrderedJson& json) {
  return value_of(json);
}

const List* Value::list() const {
  const ListPtr* p = get<ListPtr>();
  return p ? p->get() : nullptr;
}
Dict* Value::dict() const {
  const DictPtr* p = get<DictPtr>();
  return p ? p->get() : nullptr;
}

double Value::number() const {
  if (const bool* b = get<bool>()) return *b;
  if (const int64_t* n = get<int64_t>()) return static_cast<double>(*n);
  return *get<double>();
}

int64_t Value::integer() const {
  const bool* b = get<bool>();
  return b ? *b : *get<int64_t>();
}

const char* Value::type_name() const {
  constexpr const char* names[] = {"undefined", "none",   "a boolean", "an integer",
                                   "a number",  "a text", "a list",    "a dictionary"};
  return names[v_.index()];
}

bool Value::truth() const {
  if (is_number()) return number() != 0;
  if (const Text* t = text()) return t->size() > 0;
  if (const List* l = list()) return !l->empty();
  if (const Dict* d = dict()) return !d->empty();
  return false;
}

Text Value::str() const {
  if (const Text* t = text()) return *t;
  return is_undefined() ? Text() : repr();
}

Text Value::repr() const {
  if (is_undefined()) return from_template("Undefined");
  if (is_none()) return from_template("None");
  if (const bool* b = get<bool>()) return from_template(*b ? "True" : "False");
  if (const int64_t* n = get<int64_t>()) return from_template(std::to_string(*n));
  if (const double* x = get<double>()) return from_template(number_text(*x));
  if (const Text* t = text()) return quoted(*t);
  Text out = from_template(list() ? "[" : "{");
  bool first = true;
  const auto separate = [&] {
    if (!first) out += from_template(", ");
    first = false;
  };
  if (const List* l = list()) {
    for (const Value& item : *l) separate(), out += item.repr();
    return out += from_template("]");
  }
  for (const auto& [key, item] : *dict())
    separate(), out += quoted(Text(key, true)), out += from_template(": "), out += item.repr();
  return out += from_template("}");
}

bool operator==(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.integer() == b.integer();
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  if (a.v_.index() != b.v_.index()) return false;
  if (const Text* t = a.text()) return t->bytes == b.text()->bytes;
  if (const List* l = a.list()) return *l == *b.list();
  if (const Dict* d = a.dict()) {
    return d->size() == b.dict()->size() && std::all_of(d->begin(), d->end(), [&](const auto& item) {
             const Value* other = find(*b.dict(), item.first);
             return other && *other == item.second;
           });
  }
  return true;
}

const Value* find(const Dict& dict, std::string_view key) {
  for (const auto& [name, value] : dict)
    if (name == key) return &value;
  return nullptr;
}

void set(Dict& dict, const std::string& key, Value value) {
  for (auto& [name, old] : dict)
    if (name == key) return void(old = std::move(value));
  dict.emplace_back(key, std::move(value));
}

Text to_json(const Place& at, const Value& value, int64_t indent) {
  std::string out;
  append_json(at, out, value, indent, 0);
  return Text(out, true);
}

}  // namespace fathom::jinja
