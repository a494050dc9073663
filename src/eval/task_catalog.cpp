// The tasks that the program brings along, and those of files.
#include <algorithm>

#include "base/error.h"
#include "base/nearest.h"
#include "eval/task.h"
#include "eval/task_files.h"
#include "io/file.h"

namespace fathom {
namespace {

std::string name_of(const task_files::File& file) {
  return std::string(file.name.substr(0, file.name.rfind('.')));
}

}  // namespace

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const task_files::File& file : task_files::all()) names.push_back(name_of(file));
  std::sort(names.begin(), names.end());
  return names;
}

Task task_named(const std::string& name) {
  if (name.ends_with(".toml")) return parse_task(read_file(name), name);
  for (const task_files::File& file : task_files::all())
    if (name_of(file) == name) return parse_task(std::string(file.text), "tasks/" + std::string(file.name));
  const std::vector<std::string> names = task_names();
  fail("unknown task '{}'{}; fathom eval --list names all", name, did_you_mean(name, names));
}

}  // namespace fathom
