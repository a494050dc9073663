// Parsing: the library's SAX events build the value here, because its own builder keeps the last of two
// fields of one name and stops at a NUL byte as if the text ended there.
#include "base/error.h"
#include "base/log.h"
#include "io/file.h"
#include "io/json.h"

namespace fathom {
namespace {

class Builder {
 public:
  explicit Builder(const std::string& name) : name_(name) {}

  Json take() { return std::move(root_); }

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(Json::number_integer_t value) { return put(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
  bool number_float(Json::number_float_t value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(value); }
  bool binary(Json::binary_t& value) { return put(value); }
  bool start_object(size_t) { return open(Json::object()); }
  bool start_array(size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& key) {
    const auto [member, added] = open_.back()->get_ref<Json::object_t&>().emplace(key, nullptr);
    if (!added) fail("{}: field '{}{}' is given twice", name_, path(), key);
    member_ = &member->second;
    return true;
  }

  [[noreturn]] bool parse_error(size_t byte, const std::string&, const Json::exception& e) {
    // The library's text begins with its own tag and repeats the position; only the reason is of use.
    std::string reason = e.what();
    if (const size_t at = reason.find("syntax error"); at != std::string::npos)
      reason.erase(0, at);
    else if (const size_t tag = reason.find("] "); tag != std::string::npos)
      reason.erase(0, tag + 2);
    fail("{}: not valid JSON at byte {}: {}", name_, byte, reason);
  }

 private:
  // Where the next value belongs. Pointers to values stay valid: a list grows only while none of its elements
  // is open, and an object's members do not move.
  Json* next() {
    if (open_.empty()) return &root_;
    if (open_.back()->is_object()) return member_;
    open_.back()->push_back(nullptr);
    return &open_.back()->back();
  }
  bool put(Json value) {
    *next() = std::move(value);
    return true;
  }
  bool open(Json empty) {
    check(open_.size() < max_json_depth, "{}: JSON nested deeper than {}", name_, max_json_depth);
    Json* const value = next();
    *value = std::move(empty);
    open_.push_back(value);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  // "rope_scaling." for the members of an object in field rope_scaling, "" for those of the outermost one.
  std::string path() const {
    std::string path;
    for (size_t i = 0; i + 1 < open_.size(); ++i)
      for (const auto& [key, value] : open_[i]->items())
        if (&value == open_[i + 1]) path += key + ".";
    return path;
  }

  const std::string& name_;
  Json root_;
  std::vector<Json*> open_;  // the objects and lists around the next value, outermost first
  Json* member_ = nullptr;   // of the innermost object: the value of the last key
};

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

}  // namespace

Json parse_json(std::string_view text, const std::string& name) {
  const size_t nul = text.find('\0');
  check(nul == std::string_view::npos, "{}: not valid JSON at byte {}: a NUL byte", name, nul + 1);
  if (text.starts_with(byte_order_mark))
    log::warn_once(fmt::format("{}: starts with a byte order mark (BOM), which is skipped", name));
  Builder builder(name);
  Json::sax_parse(text, &builder);
  return builder.take();
}

Json read_json(const std::string& path) {
  return parse_json(read_file(path), path);
}

}  // namespace fathom
