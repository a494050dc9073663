#include "eval/run_identity.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/content_hash.h"
#include "io/file.h"
#include "io/mapped_file.h"

namespace fathom {

namespace fs = std::filesystem;

std::string weight_files_hash(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name == "config.json" || name == "adapter_config.json" || name.ends_with(".safetensors"))
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  ContentHash hash;
  for (const std::string& path : paths) {
    const MappedFile file(path);
    hash.add(fs::path(path).filename().string());
    hash.add(file.bytes());
    file.let_go(0, file.bytes().size());
  }
  return hash.digest();
}

OrderedJson task_identity(const Task& task, const TaskItems& data) {
  OrderedJson files = OrderedJson::object();
  for (const UpstreamFile& file : data.files) {
    OrderedJson& hash = files[fs::path(file.path).filename().string()];
    hash = hash.is_null() ? file.hash : hash_value(hash.get<std::string>() + file.hash).text();
  }
  return {{"task", task.name},
          {"task_version", task.version},
          {"task_file", hash_value(task.source).text()},
          {"shots", task.shots.count},
          {"samples", task.generation.samples},
          {"data", files}};
}

std::string identity_hash(const OrderedJson& parts) {
  return hash_value(parts.dump()).text();
}

void check_identity(const std::string& path, const OrderedJson& parts, const OrderedJson& about) {
  if (!fs::exists(path)) {
    OrderedJson file = parts;
    file["hash"] = identity_hash(parts);
    file.update(about);
    return write_file(path, file.dump(1) + "\n");
  }
  const Json there = read_json(path), now = Json::parse(parts.dump());
  for (const auto& [name, value] : now.items()) {
    const auto before = there.find(name);
    check(before != there.end() && *before == value,
          "{}: this run cannot continue that one: {} was {} and is {}", path, name,
          before == there.end() ? "nothing" : before->dump(), value.dump());
  }
}

}  // namespace fathom
