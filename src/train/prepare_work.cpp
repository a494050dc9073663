#include "train/prepare_work.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "io/content_hash.h"
#include "io/file.h"
#include "io/json.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

const FilePatterns work_files = {"settings.json", "train-*.safetensors", "val-*.safetensors"};

// A file is known by its path, size and time of change.
OrderedJson inputs(const std::vector<CorpusFile>& files) {
  OrderedJson list = OrderedJson::array();
  for (const CorpusFile& file : files) {
    std::error_code ignored;
    const auto changed = fs::last_write_time(file.path, ignored).time_since_epoch().count();
    list.push_back(OrderedJson::array(
        {file.path, fs::file_size(file.path, ignored), changed, static_cast<int>(file.format)}));
  }
  return list;
}

std::string hash_of(const std::vector<bool>& keep) {
  std::string bytes;
  for (const bool kept : keep) bytes += kept ? '1' : '0';
  return content_hash(std::as_bytes(std::span(bytes)));
}

OrderedJson settings(const PrepareOptions& o, const std::vector<CorpusFile>& files,
                     const std::vector<bool>& keep, const TokenVocabulary& vocabulary) {
  return {{"input", inputs(files)},
          {"text field", o.corpus.text_field},
          {"chunk size", o.corpus.chunk_size},
          {"skip bad", o.corpus.skip_bad},
          {"documents left out", hash_of(keep)},
          {"tokenizer", vocabulary.fingerprint},
          {"BOS", o.add_bos},
          {"validation", o.validation},
          {"shard tokens", o.shard_tokens}};
}

void check_same(const std::string& path, const OrderedJson& now) {
  const Json then = read_json(path);
  for (const auto& [key, value] : now.items())
    check(then.contains(key) && OrderedJson(then[key]) == value,
          "{}: the unfinished shards beside it were made with another '{}': go on with the settings of then, "
          "or "
          "remove the folder",
          path, key);
}

}  // namespace

PrepareWork::PrepareWork(const PrepareOptions& o, const std::vector<CorpusFile>& files,
                         const std::vector<bool>& keep, const TokenVocabulary& vocabulary)
    : folder_((fs::path(o.out) / "").parent_path().string() + ".partial"), threads_(o.threads) {
  std::error_code error;
  fs::create_directories(folder_, error);
  check(!error, "{}: cannot make the folder: {}", folder_, error.message());
  lock_ = Descriptor(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  check(lock_ && try_lock(lock_) != Lock::busy, "{}: another process works in it", folder_);
  const OrderedJson now = settings(o, files, keep, vocabulary);
  const std::string path = file_in(folder_, "settings.json");
  if (fs::exists(path)) {
    check_same(path, now);
    return;
  }
  for (const char* split : {"train", "val"})
    check(shard_files({folder_}, split).empty(), "{}: holds shards, but no settings.json: remove the folder",
          folder_);
  write_file(path, now.dump(1) + "\n");
}

void PrepareWork::continue_after(TokenShardWriter& writer, std::string_view split) const {
  if (shard_files({folder_}, split).empty()) return;
  TokenShards finished({folder_}, split);
  finished.fingerprint(threads_, true);
  writer.continue_after(finished);
  log::info("{}: goes on after {} finished {} shards of {} documents", folder_, finished.paths().size(),
            split, finished.documents());
}

void PrepareWork::link_into(const std::string& folder) const {
  for (const std::string& name : names_in(folder_)) {
    if (name == "settings.json" || !name.ends_with(".safetensors")) continue;
    const std::string from = file_in(folder_, name), to = file_in(folder, name);
    std::error_code error;
    fs::create_hard_link(from, to, error);
    if (error) fs::rename(from, to, error);  // no links on this file system
    check(!error, "{}: cannot put it into {}: {}", from, folder, error.message());
  }
}

void PrepareWork::remove() {
  std::vector<std::string> names = names_in(folder_);
  std::sort(names.rbegin(), names.rend());  // settings.json, which says whose they are, goes last
  std::error_code ignored;
  for (const std::string& name : names)
    if (matches(work_files, name)) fs::remove(file_in(folder_, name), ignored);
  lock_.close();
  fs::remove(folder_, ignored);  // unless the user has put something into it
}

}  // namespace fathom
