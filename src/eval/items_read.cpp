// From files to items.
#include <algorithm>
#include <iterator>
#include <set>

#include "base/error.h"
#include "base/parse_number.h"
#include "eval/items.h"
#include "io/file.h"

namespace fathom {
namespace {

class ItemReader {
 public:
  ItemReader(const Task& task, const std::string& folder, int64_t limit)
      : task_(task), folder_(folder), limit_(limit) {}

  TaskItems read() {
    const Task::Data& data = task_.data;
    if (data.subjects.empty()) read_subject("", files(data.items, "", data.several));
    for (const std::string& subject : data.subjects) {
      const std::vector<std::string> paths = find_upstream(folder_, data.items, subject, data.several);
      if (paths.empty())
        all_.missing.push_back(subject);
      else
        read_subject(subject, hashed(paths));
    }
    check(!all_.subjects.empty(), "{}: no file {} of any subject of task {} there", folder_,
          fmt::join(task_.data.items, " or "), task_.name);
    check(all_.size() > 0, "{}: task {} has no items there{}", folder_, task_.name,
          all_.malformed.empty() ? "" : "; " + all_.malformed[0]);
    return std::move(all_);
  }

 private:
  const std::vector<std::string>& hashed(const std::vector<std::string>& paths) {
    all_.files.push_back(hashed_files(paths));
    return paths;
  }

  std::vector<std::string> files(const std::vector<std::string>& patterns, const std::string& subject,
                                 bool several) {
    const std::vector<std::string> paths = find_upstream(folder_, patterns, subject, several);
    check(!paths.empty(), "{}: no file {} of task {} there", folder_, fmt::join(patterns, " or "),
          task_.name);
    return hashed(paths);
  }

  std::vector<UpstreamRow> rows_of(const std::vector<std::string>& paths) const {
    std::vector<UpstreamRow> rows;
    for (const std::string& path : paths) {
      std::vector<UpstreamRow> more = read_upstream(path, task_.data.format);
      std::move(more.begin(), more.end(), std::back_inserter(rows));
    }
    return rows;
  }

  void read_subject(const std::string& subject, const std::vector<std::string>& paths) {
    const Task::Data& data = task_.data;
    std::vector<UpstreamRow> rows = rows_of(paths);
    if (!data.beside.empty()) put_beside(rows, paths[0], subject);
    SubjectItems s;
    s.subject = subject, s.intro = intro(subject);
    if (task_.shots.count > 0)
      s.pool =
          make_items(rows_of(files(data.shots, subject, data.several)), data.skip_shots, subject, 0, nullptr);
    std::set<std::string> ids;
    s.items = make_items(rows, task_.data.skip_items, subject, limit_, &ids);
    all_.subjects.push_back(std::move(s));
  }

  // Without a file of that name rows go without: some forms of a data set have it all in the rows.
  void put_beside(std::vector<UpstreamRow>& rows, const std::string& path, const std::string& subject) {
    const std::vector<std::string> found = find_upstream(folder_, task_.data.beside, subject);
    if (found.empty()) return;
    const std::string& beside = hashed(found)[0];
    if (task_.data.beside_key.given()) return put_by_key(rows, beside);
    RowFormat lines;
    lines.kind = "lines";
    const std::vector<UpstreamRow> values = read_upstream(beside, lines);
    check(values.size() == rows.size(), "{} has {} lines for the {} rows of {}", beside, values.size(),
          rows.size(), path);
    for (size_t i = 0; i < rows.size(); ++i)
      if (rows[i].error.empty()) rows[i].fields["beside"] = values[i].fields["line"];
  }

  void put_by_key(std::vector<UpstreamRow>& rows, const std::string& beside) {
    const Json values = parse_json(read_file(beside), beside);
    check(values.is_object(), "{}: an object was expected, not {}", beside, values.type_name());
    for (UpstreamRow& row : rows) {
      if (!row.error.empty()) continue;
      const std::string key = task_.data.beside_key.text(row.fields);
      if (const auto value = values.find(key); value != values.end())
        row.fields["beside"] = *value;
      else
        row.error = fmt::format("{} has nothing for '{}'", beside, shortened(key));
    }
  }

  jinja::Text intro(const std::string& subject) {
    const Task::Prompt& p = task_.prompt;
    if (p.intro_file.empty()) return p.intro.render({{"subject", subject}});
    const std::string path = files(p.intro_file, subject, /*several=*/false)[0];
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
