#include "judge/judge_folder.h"

#include <filesystem>
#include <set>

#include "base/error.h"
#include "io/content_hash.h"
#include "io/file.h"
#include "io/mapped_file.h"
#include "text/sent_json.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::string shown(const Json& json, const std::string& name) {
  return json.contains(name) ? json[name].dump() : "not there";
}

void check_same(const Json& before, const Json& now, const std::string& path) {
  std::set<std::string> names;
  for (const Json* json : {&before, &now})
    for (const auto& [name, value] : json->items()) names.insert(name);
  for (const std::string& name : names) {
    const std::string was = shown(before, name), is = shown(now, name);
    check(was == is,
          "{}: the folder is of a run with other settings: '{}' was {} and is {}; take another folder", path,
          name, was, is);
  }
}

}  // namespace

JudgeFolder::JudgeFolder(const std::string& path, const OrderedJson& settings) : path_(path), lock_(path) {
  const Json now = Json::parse(json_line(settings));
  hash_ = hash_value(now.dump()).text();
  const std::string kept = file("settings.json");
  if (fs::exists(kept)) {
    const Json before = read_json(kept);
    check_same(JsonObject(before, kept).required<Json>("settings"), now, kept);
  } else {
    write_file(
        kept,
        OrderedJson{{"hash", hash_}, {"settings", OrderedJson::parse(json_line(settings))}}.dump(1) + "\n");
  }
}

std::string hash_of_file(const std::string& path) {
  ContentHash hash;
  if (fs::file_size(path) > 0) hash.add(MappedFile(path).bytes());
  return hash.digest();
}

std::string hash_of_folder(const std::string& path) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_regular_file()) names.insert(entry.path().filename().string());
  ContentHash hash;
  for (const std::string& name : names) hash.add(name + " " + hash_of_file(path + "/" + name) + "\n");
  return hash.digest();
}

}  // namespace fathom
