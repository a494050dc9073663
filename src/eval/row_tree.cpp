#include "eval/row_tree.h"

#include "base/error.h"
#include "base/parse_number.h"

namespace fathom {
namespace {

class Walk {
 public:
  Walk(const RowFormat& format, std::vector<UpstreamRow>& rows) : format_(format), rows_(rows) {}

  // `fields`: those of the objects above.
  void visit(const Json& value, const Json& fields, size_t step, const std::string& where) {
    if (!format_.flat.empty() && value.is_object() && value.contains(format_.flat)) {
      Json row = fields;
      row.update(value);
      return rows_.push_back({std::move(row), where, ""});
    }
    if (step < format_.each.size() && format_.each[step] == "*")
      return visit_all(value, fields, step + 1, where);
    Json own = fields;
    if (value.is_object()) own.update(value);
    if (value.is_array() && step < format_.each.size()) own["outer"] = value;
    if (step == format_.each.size()) return add(value, own, where);
    const std::string& name = format_.each[step];
    const Json& inside = child(value, name, where);
    if (value.is_object()) own.erase(name);
    if (inside.is_string()) return visit(inside, own, step + 1, where);
    visit_all(inside, own, step + 1, where);
  }

  void visit_all(const Json& list, const Json& fields, size_t step, const std::string& where) {
    check(list.is_array() || list.is_object(), "{}: a list of rows was expected, not {}", where,
          list.type_name());
    int64_t i = 0;
    for (const auto& [key, element] : list.items()) {
      const std::string place = list.is_array() ? fmt::format("{}[{}]", where, i++) : where + "." + key;
      Json with_key = fields;
      if (list.is_object()) with_key["key"] = key;
      try {
        visit(element, with_key, step, place);
      } catch (const Error& error) {
        rows_.push_back({Json(), place, error.what()});
      }
    }
  }

 private:
  static const Json& child(const Json& value, const std::string& name, const std::string& where) {
    if (value.is_object()) {
      const auto found = value.find(name);
      check(found != value.end(), "{}: field '{}' is missing", where, name);
      return *found;
    }
    check(value.is_array(), "{}: an object or a list was expected, not {}", where, value.type_name());
    const auto place = parse_number<int64_t>("data.each", name, {.low = 0});
    check(place < std::ssize(value), "{}: has {} elements, none at place {}", where, value.size(), place);
    return value[static_cast<size_t>(place)];
  }

  void add(const Json& value, Json fields, const std::string& where) {
    if (value.is_string() && !format_.each.empty()) {
      fields["text"] = value;
      return rows_.push_back({std::move(fields), where, ""});
    }
    check(value.is_object(), "{}: a row must be an object, not {}", where, value.type_name());
    if (format_.parallel.empty()) return rows_.push_back({fields, where, ""});
    size_t length = 0;
    for (const std::string& name : format_.parallel) {
      const Json& list = child(value, name, where);
      check(list.is_array(), "{}: field '{}' must be a list", where, name);
      if (&name == &format_.parallel[0]) length = list.size();
      check(list.size() == length, "{}: field '{}' has {} elements, '{}' has {}", where, name, list.size(),
            format_.parallel[0], length);
    }
    for (size_t i = 0; i < length; ++i) {
      Json row = fields;
      for (const std::string& name : format_.parallel) row[name] = value[name][i];
      row["place"] = i;
      rows_.push_back({std::move(row), fmt::format("{}#{}", where, i), ""});
    }
  }

  const RowFormat& format_;
  std::vector<UpstreamRow>& rows_;
};

}  // namespace

void rows_of_tree(const Json& value, const std::string& where, const RowFormat& format,
                  std::vector<UpstreamRow>& rows) {
  Walk walk(format, rows);
  if (value.is_array())
    walk.visit_all(value, Json::object(), 0, where);
  else
    walk.visit(value, Json::object(), 0, where);
}

}  // namespace fathom
