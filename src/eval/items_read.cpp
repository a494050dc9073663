// From files to items.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "eval/items.h"
#include "io/file.h"

namespace fathom {
namespace {

class ItemReader {
 public:
  ItemReader(const Task& task, const std::string& folder, int64_t limit)
      : task_(task), folder_(folder), limit_(limit) {}

  TaskItems read() {
    if (task_.data.subjects.empty()) {
      const std::string path = find_upstream(folder_, task_.data.items, "");
      check(!path.empty(), "{}: no file {} of task {} there", folder_, fmt::join(task_.data.items, " or "),
            task_.name);
      read_subject("", path);
    }
    for (const std::string& subject : task_.data.subjects) {
      const std::string path = find_upstream(folder_, task_.data.items, subject);
      if (path.empty())
        all_.missing.push_back(subject);
      else
        read_subject(subject, path);
    }
    check(!all_.subjects.empty(), "{}: no file {} of any subject of task {} there", folder_,
          fmt::join(task_.data.items, " or "), task_.name);
    check(all_.size() > 0, "{}: task {} has no items there{}", folder_, task_.name,
          all_.malformed.empty() ? "" : "; " + all_.malformed[0]);
    return std::move(all_);
  }

 private:
  std::string file(const std::vector<std::string>& patterns, const std::string& subject) {
    const std::string path = find_upstream(folder_, patterns, subject);
    check(!path.empty(), "{}: no file {} of task {} there", folder_, fmt::join(patterns, " or "), task_.name);
    all_.files.push_back(hashed_file(path));
    return path;
  }

  void read_subject(const std::string& subject, const std::string& path) {
    all_.files.push_back(hashed_file(path));
    std::vector<UpstreamRow> rows = read_upstream(path, task_.data.format);
    if (!task_.data.beside.empty()) put_beside(rows, path, subject);
    SubjectItems s;
    s.subject = subject, s.intro = intro(subject);
    if (task_.shots.count > 0) {
      const std::string pool = file(task_.data.shots, subject);
      s.pool = make_items(read_upstream(pool, task_.data.format), task_.data.skip_shots, subject, 0, nullptr);
    }
    std::set<std::string> ids;
    s.items = make_items(rows, task_.data.skip_items, subject, limit_, &ids);
    all_.subjects.push_back(std::move(s));
  }

  void put_beside(std::vector<UpstreamRow>& rows, const std::string& path, const std::string& subject) {
    RowFormat lines;
    lines.kind = "lines";
    const std::string beside = file(task_.data.beside, subject);
    const std::vector<UpstreamRow> values = read_upstream(beside, lines);
    check(values.size() == rows.size(), "{} has {} lines for the {} rows of {}", beside, values.size(),
          rows.size(), path);
    for (size_t i = 0; i < rows.size(); ++i)
      if (rows[i].error.empty()) rows[i].fields["beside"] = values[i].fields["line"];
  }

  jinja::Text intro(const std::string& subject) {
    const Task::Prompt& p = task_.prompt;
    if (p.intro_file.empty()) return p.intro.render({{"subject", subject}});
    const std::string path = file(p.intro_file, subject);
    std::string text = read_file(path);
    if (!p.intro_after.empty()) {
      const size_t at = text.find(p.intro_after);
      check(at != std::string::npos, "{}: has no '{}'", path, p.intro_after);
      text.erase(0, at + p.intro_after.size());
    }
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return {text, true};
  }

  // A row's place is its place in the file, whatever else is malformed there.
  std::vector<Item> make_items(const std::vector<UpstreamRow>& rows, const TextTemplate& skip,
                               const std::string& subject, int64_t limit, std::set<std::string>* ids) {
    std::vector<Item> items;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (limit > 0 && std::ssize(items) == limit) break;
      try {
        if (skip.given() && rows[i].error.empty() && skip.text(rows[i].fields) == "True") continue;
        Item item = make_item(task_, rows[i], subject, static_cast<int64_t>(i));
        check(!ids || ids->insert(item.id).second, "{}: another item has the id '{}' too", item.where,
              item.id);
        items.push_back(std::move(item));
      } catch (const Error& error) {
        all_.malformed.emplace_back(error.what());
      }
    }
    return items;
  }

  const Task& task_;
  const std::string& folder_;
  int64_t limit_;
  TaskItems all_;
};

}  // namespace

int64_t TaskItems::size() const {
  int64_t n = 0;
  for (const SubjectItems& s : subjects) n += std::ssize(s.items);
  return n;
}

TaskItems read_items(const Task& task, const std::string& folder, int64_t limit) {
  return ItemReader(task, folder, limit).read();
}

}  // namespace fathom
