#include "text/jinja_functions.h"

#include <algorithm>
#include <cmath>

#include "text/utf8.h"

namespace fathom::jinja {
namespace {

const Text& text_of(const Place& at, const Value& value, const std::string& what) {
  at.check(value.text(), "{} needs a text, not {}", what, value.type_name());
  return *value.text();
}
int64_t integer_of(const Place& at, const Value& value, const std::string& what) {
  at.check(value.is_integer(), "{} needs an integer, not {}", what, value.type_name());
  return value.integer();
}
const Dict& dict_of(const Place& at, const Value& value) {
  at.check(value.dict(), "items needs a dictionary, not {}", value.type_name());
  return *value.dict();
}

// Characters of a text, each with its provenance.
List characters(const Text& text) {
  List list;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.bytes.data() + i, text.bytes.data() + text.size());
    const auto length = static_cast<size_t>(std::max(c.length, 1));
    list.push_back(text.sub(i, length));
    i += length;
  }
  return list;
}
Text joined(const List& characters, const Text& between = {}) {
  Text out;
  for (size_t i = 0; i < characters.size(); ++i) {
    if (i > 0) out += between;
    out += characters[i].str();
  }
  return out;
}

constexpr std::string_view white_space = " \t\n\r\v\f";

Text stripped(const Text& text, const Value& of, bool left, bool right) {
  const std::string set = of.is_undefined() || of.is_none() ? std::string(white_space) : of.str().bytes;
  size_t begin = 0, end = text.size();
  while (left && begin < end && set.find(text.bytes[begin]) != std::string::npos) ++begin;
  while (right && begin < end && set.find(text.bytes[end - 1]) != std::string::npos) --end;
  return text.sub(begin, end - begin);
}

// ASCII letters change; others stay.
template <class Change>
Text changed(Text text, const Change& change) {
  char before = ' ';
  for (char& c : text.bytes) {
    const char old = c;
    c = change(before, c);
    before = old;
  }
  return text;
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
bool is_letter(char c) {
  return upper(c) != lower(c);
}
Text titled(const Text& text) {
  return changed(text, [](char before, char c) { return is_letter(before) ? lower(c) : upper(c); });
}
Text capitalized(const Text& text) {
  Text out = changed(text, [](char, char c) { return lower(c); });
  if (out.size() > 0) out.bytes[0] = upper(out.bytes[0]);
  return out;
}

Text replaced(const Place& at, const Text& text, const Text& old, const Text& with, int64_t most) {
  at.check(old.size() > 0, "replace needs a text to look for");
  Text out;
  size_t from = 0;
  for (; most != 0; --most) {
    const size_t found = text.bytes.find(old.bytes, from);
    if (found == std::string::npos) break;
    out += text.sub(from, found - from), out += with;
    from = found + old.size();
  }
  return out += text.sub(from);
}

List split(const Place& at, const Text& text, const Value& separator, int64_t most) {
  List parts;
  if (separator.is_undefined() || separator.is_none()) {
    for (size_t from = 0; from < text.size();) {
      from = text.bytes.find_first_not_of(white_space, from);
      if (from == std::string::npos) break;
      const size_t end = most-- == 0 ? std::string::npos : text.bytes.find_first_of(white_space, from);
      parts.push_back(text.sub(from, end == std::string::npos ? end : end - from));
      from = end == std::string::npos ? text.size() : end;
    }
    return parts;
  }
  const Text& by = text_of(at, separator, "split");
  at.check(by.size() > 0, "split needs a separator that is not empty");
  size_t from = 0;
  for (size_t found; most-- != 0 && (found = text.bytes.find(by.bytes, from)) != std::string::npos;
       from = found + by.size())
    parts.push_back(text.sub(from, found - from));
  parts.push_back(text.sub(from));
  return parts;
}

bool starts_or_ends(const Place& at, const Text& text, const Value& with, bool starts) {
  if (const List* any = with.list())
    return std::any_of(any->begin(), any->end(),
                       [&](const Value& v) { return starts_or_ends(at, text, v, starts); });
  const std::string& part = text_of(at, with, starts ? "startswith" : "endswith").bytes;
  return starts ? text.bytes.starts_with(part) : text.bytes.ends_with(part);
}

List items_of(const Dict& dict) {
  List list;
  for (const auto& [key, value] : dict) list.push_back(List{Text(key, true), value});
  return list;
}
int64_t length_of(const Place& at, const Value& value) {
  if (const Text* t = value.text()) return static_cast<int64_t>(characters(*t).size());
  return static_cast<int64_t>(iterate(at, value).size());
}

// Those items for which a test of an attribute (or of the item) holds.
List selected(const Place& at, const Value& value, const Arguments& a, bool by_attribute, bool wanted) {
  List list;
  const size_t place = by_attribute ? 1 : 0;
  for (const Value& item : iterate(at, value)) {
    const Value of = by_attribute ? attribute_of(at, item, a.get(0, "").str().bytes) : item;
    bool holds = of.truth();
    if (a.values.size() > place) {
      const Arguments rest{{a.values.begin() + static_cast<ptrdiff_t>(place) + 1, a.values.end()}, {}};
      holds = call_test(at, a.values[place].str().bytes, of, rest);
    }
    if (holds == wanted) list.push_back(item);
  }
  return list;
}

List mapped(const Place& at, const Value& value, const Arguments& a) {
  List list;
  const Value attribute = a.get(1000, "attribute");
  for (const Value& item : iterate(at, value)) {
    if (attribute.is_undefined()) {
      const Arguments rest{{a.values.begin() + std::min<ptrdiff_t>(1, std::ssize(a.values)), a.values.end()},
                           {}};
      list.push_back(call_filter(at, a.get(0, "filter").str().bytes, item, rest));
    } else {
      const Value found = attribute_of(at, item, attribute.str().bytes);
      list.push_back(found.is_undefined() ? a.get(1001, "default") : found);
    }
  }
  return list;
}

List unique(const List& list) {
  List out;
  for (const Value& item : list)
    if (std::find(out.begin(), out.end(), item) == out.end()) out.push_back(item);
  return out;
}

int64_t to_integer(const Value& value, const Value& otherwise) {
  if (value.is_integer()) return value.integer();
  if (value.is_number() && std::abs(value.number()) < 9e15) return static_cast<int64_t>(value.number());
  if (const Text* t = value.text()) {
    char* end = nullptr;
    const std::string text = stripped(*t, {}, true, true).bytes;
    const double x = std::strtod(text.c_str(), &end);
    if (!text.empty() && *end == 0 && std::abs(x) < 9e15) return static_cast<int64_t>(x);
  }
  return otherwise.get<int64_t>() ? *otherwise.get<int64_t>() : 0;
}

// Texts' methods that are filters too.
std::optional<Value> text_function(const Place& at, const std::string& name, const Text& text,
                                   const Arguments& a) {
  if (name == "upper") return changed(text, [](char, char c) { return upper(c); });
  if (name == "lower") return changed(text, [](char, char c) { return lower(c); });
  if (name == "title") return titled(text);
  if (name == "capitalize") return capitalized(text);
  if (name == "replace") {
    const Value most = a.get(2, "count");
    return replaced(at, text, text_of(at, a.get(0, "old"), "replace"),
                    text_of(at, a.get(1, "new"), "replace"),
                    most.is_undefined() || most.is_none() ? -1 : integer_of(at, most, "replace"));
  }
  return std::nullopt;
}

}  // namespace

Value Arguments::get(size_t place, std::string_view name) const {
  if (place < values.size()) return values[place];
  for (const auto& [key, value] : named)
    if (key == name) return value;
  return {};
}

Value call_filter(const Place& at, const std::string& name, const Value& value, const Arguments& a) {
  if (name == "trim") return stripped(value.str(), a.get(0, "chars"), true, true);
  if (name == "length" || name == "count") return length_of(at, value);
  if (name == "tojson") {
    const Value indent = a.get(0, "indent");
    return to_json(at, value, indent.get<int64_t>() ? *indent.get<int64_t>() : -1);
  }
  if (name == "default" || name == "d") {
    const bool otherwise = value.is_undefined() || (a.get(1, "boolean").truth() && !value.truth());
    const Value given = a.get(0, "default_value");
    return otherwise ? (given.is_undefined() ? Value(Text()) : given) : value;
  }
  if (name == "string" || name == "safe") return value.str();
  if (name == "int") return to_integer(value, a.get(0, "default"));
  if (name == "float")
    return value.is_number() ? value.number() : std::strtod(value.str().bytes.c_str(), nullptr);
  if (name == "abs" && value.is_number())
    return value.is_integer() && value.integer() != INT64_MIN ? Value(std::abs(value.integer()))
                                                              : Value(std::abs(value.number()));
  if (name == "join") {
    const Value attribute = a.get(1, "attribute");
    List list = iterate(at, value);
    for (Value& item : list)
      if (!attribute.is_undefined()) item = attribute_of(at, item, attribute.str().bytes);
    return joined(list, a.get(0, "d").str());
  }
  if (name == "items") return value.is_undefined() ? List() : items_of(dict_of(at, value));
  if (name == "selectattr" || name == "rejectattr") return selected(at, value, a, true, name[0] == 's');
  if (name == "select" || name == "reject") return selected(at, value, a, false, name[0] == 's');
  if (name == "map") return mapped(at, value, a);
  if (name == "unique") return unique(iterate(at, value));
  if (const Text* text = value.text())
    if (const std::optional<Value> made = text_function(at, name, *text, a)) return *made;
  const bool sequence = name == "list" || name == "first" || name == "last" || name == "reverse";
  at.check(sequence, "the filter '{}' is not supported{}", name,
           value.text() ? "" : fmt::format(" for {}", value.type_name()));
  List list = iterate(at, value);
  if (name == "list") return list;
  if (name == "reverse") {
    std::reverse(list.begin(), list.end());
    return value.text() ? Value(joined(list)) : Value(std::move(list));
  }
  if (list.empty()) return {};
  return name == "first" ? list.front() : list.back();
}

bool call_test(const Place& at, const std::string& name, const Value& value, const Arguments& a) {
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.text() != nullptr;
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "iterable" || name == "sequence") return value.text() || value.list() || value.dict();
  if (name == "boolean") return value.get<bool>() != nullptr;
  if (name == "integer") return value.get<int64_t>() != nullptr;
  if (name == "float") return value.get<double>() != nullptr;
  if (name == "number") return value.is_number();
  if (name == "true") return value.get<bool>() && value.truth();
  if (name == "false") return value.get<bool>() && !value.truth();
  if (name == "equalto" || name == "eq") return value == a.get(0, "other");
  if (name == "ne") return !(value == a.get(0, "other"));
  if (name == "in") return contains(at, a.get(0, "seq"), value);
  if (name == "even" || name == "odd") return (integer_of(at, value, name) % 2 == 0) == (name == "even");
  at.fail("the test '{}' is not supported", name);
}

Value call_method(const Place& at, const std::string& name, const Value& value, const Arguments& a) {
  if (const Dict* dict = value.dict()) {
    if (name == "items") return items_of(*dict);
    List list;
    if (name == "keys" || name == "values") {
      for (const auto& [key, item] : *dict) list.push_back(name == "keys" ? Value(Text(key, true)) : item);
      return list;
    }
    if (name == "get") {
      const Value* found = find(*dict, a.get(0, "key").str().bytes);
      const Value otherwise = a.get(1, "default");
      return found ? *found : otherwise.is_undefined() ? Value(Value::None()) : otherwise;
    }
  }
  if (const Text* text = value.text()) {
    if (name == "strip" || name == "lstrip" || name == "rstrip")
      return stripped(*text, a.get(0, "chars"), name != "rstrip", name != "lstrip");
    if (name == "split") {
      const Value most = a.get(1, "maxsplit");
      return split(at, *text, a.get(0, "sep"), most.is_undefined() ? -1 : integer_of(at, most, "split"));
    }
    if (name == "startswith" || name == "endswith")
      return starts_or_ends(at, *text, a.get(0, "prefix"), name == "startswith");
    if (name == "find") {
      const size_t found = text->bytes.find(text_of(at, a.get(0, "sub"), "find").bytes);
      return found == std::string::npos ? int64_t{-1}
                                        : static_cast<int64_t>(characters(text->sub(0, found)).size());
    }
    if (name == "join") return joined(iterate(at, a.get(0, "iterable")), *text);
    if (const std::optional<Value> made = text_function(at, name, *text, a)) return *made;
  }
  at.fail("the method '{}' of {} is not supported", name, value.type_name());
}

Value attribute_of(const Place& at, const Value& object, std::string_view name) {
  at.check(!object.is_undefined(), "what '{}' is asked of is undefined", name);
  const Dict* dict = object.dict();
  const Value* found = dict ? find(*dict, name) : nullptr;
  return found ? *found : Value();
}

Value item_of(const Place& at, const Value& object, const Value& key) {
  at.check(!object.is_undefined(), "what [{}] is asked of is undefined", key.repr().bytes);
  if (object.dict()) return key.text() ? attribute_of(at, object, key.text()->bytes) : Value();
  if (!object.list() && !object.text()) return {};
  if (!key.get<int64_t>()) return {};
  const List list = iterate(at, object);
  const int64_t n = std::ssize(list), i = *key.get<int64_t>();
  return i < -n || i >= n ? Value() : list[static_cast<size_t>(i < 0 ? i + n : i)];
}

Value slice_of(const Place& at, const Value& object, const Value& begin, const Value& end,
               const Value& step) {
  at.check(object.list() || object.text(), "{} cannot be sliced", object.type_name());
  const List list = iterate(at, object);
  const int64_t n = std::ssize(list), by = step.is_none() ? 1 : integer_of(at, step, "a slice's step");
  at.check(by != 0, "a slice's step is 0");
  const auto place = [&](const Value& bound, int64_t otherwise) {
    if (bound.is_none()) return otherwise;
    int64_t i = integer_of(at, bound, "a slice");
    if (i < 0) i += n;
    return by > 0 ? std::clamp<int64_t>(i, 0, n) : std::clamp<int64_t>(i, -1, n - 1);
  };
  List out;
  const int64_t from = place(begin, by > 0 ? 0 : n - 1), to = place(end, by > 0 ? n : -1);
  for (int64_t i = from; by > 0 ? i < to : i > to; i += by) out.push_back(list[static_cast<size_t>(i)]);
  return object.text() ? Value(joined(out)) : Value(std::move(out));
}

bool contains(const Place& at, const Value& container, const Value& item) {
  if (const Text* text = container.text())
    return text->bytes.find(text_of(at, item, "'in' a text").bytes) != std::string::npos;
  if (const Dict* dict = container.dict()) return item.text() && find(*dict, item.text()->bytes);
  const List* list = container.list();
  at.check(list, "'in' needs a text, a list or a dictionary, not {}", container.type_name());
  return std::find(list->begin(), list->end(), item) != list->end();
}

List iterate(const Place& at, const Value& value) {
  if (const List* list = value.list()) return *list;
  if (const Text* text = value.text()) return characters(*text);
  at.check(value.dict() || value.is_undefined(), "{} cannot be gone through", value.type_name());
  List keys;
  if (const Dict* dict = value.dict())
    for (const auto& [key, item] : *dict) keys.push_back(Text(key, true));
  return keys;
}

}  // namespace fathom::jinja
