// Reading trusts no shard: type, shape and metadata are checked when it is opened, ids when they are copied.
#include "train/token_shard.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/threads.h"
#include "io/content_hash.h"
#include "text/tokenizer_identity.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr int64_t narrow_vocabulary = 65536;

std::string shard_name(std::string_view split, int64_t number) {
  return fmt::format("{}-{:05}.safetensors", split, number);
}

// All or nothing: a gap in the numbers means that files were lost.
std::vector<std::string> shards_in(const std::string& dir, std::string_view split) {
  std::error_code error;
  std::vector<std::string> files;
  const std::string prefix = std::string(split) + "-";
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".safetensors")) files.push_back(it->path().string());
  }
  check(!error, "{}: cannot list the folder: {}", dir, error.message());
  std::sort(files.begin(), files.end());
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string expected = shard_name(split, static_cast<int64_t>(i));
    check(fs::path(files[i]).filename() == expected, "{}: incomplete data set: it has {} but no {}", dir,
          fs::path(files.back()).filename().string(), expected);
  }
  return files;
}

std::string joined(const std::vector<std::string>& paths) {
  std::string text;
  for (const std::string& path : paths) text += (text.empty() ? "" : ", ") + path;
  return text;
}

const std::string& metadata(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  check(found != file.metadata().end(), "{}: not a token shard: its metadata lacks '{}'", file.path(), key);
  return found->second;
}

int64_t metadata_number(const SafetensorsFile& file, const std::string& key, int64_t limit) {
  const std::string& text = metadata(file, key);
  int64_t value = -1;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && stop == text.data() + text.size() && value >= 0 && value < limit,
        "{}: metadata '{}' must be an integer from 0 to {}, got '{}'", file.path(), key, limit - 1, text);
  return value;
}

TokenVocabulary read_vocabulary(const SafetensorsFile& file) {
  TokenVocabulary v;
  v.size = static_cast<int32_t>(metadata_number(file, "vocab_size", INT32_MAX));
  check(v.size > 0, "{}: metadata 'vocab_size' must be positive", file.path());
  v.bos = static_cast<int32_t>(metadata_number(file, "bos", v.size));
  v.eos = static_cast<int32_t>(metadata_number(file, "eos", v.size));
  v.fingerprint = metadata(file, "tokenizer");
  if (v.fingerprint.starts_with("fnv1a:"))
    v.fingerprint.clear();  // of the file's bytes: of an earlier release
  return v;
}

}  // namespace

std::string TokenVocabulary::text() const {
  return fmt::format("{} tokens, {}", size, fingerprint.empty() ? "no hash" : short_identity(fingerprint));
}

FilePatterns data_set_files() {
  return {"train-*.safetensors", "val-*.safetensors", "tokenizer.json", "tokenizer_config.json",
          "screening.json"};
}

std::vector<std::string> shard_files(const std::vector<std::string>& paths_or_dirs, std::string_view split) {
  std::vector<std::string> files;
  for (const std::string& path : paths_or_dirs) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) {
      files.push_back(path);
      continue;
    }
    for (std::string& file : shards_in(path, split)) files.push_back(std::move(file));
  }
  return files;
}

TokenShards::TokenShards(const std::vector<std::string>& paths_or_dirs, std::string_view split) {
  for (const std::string& path : shard_files(paths_or_dirs, split)) add(path);
  check(!shards_.empty(), "no token shards: there is no {}-*.safetensors in {}", split,
        paths_or_dirs.empty() ? "an empty list of folders" : joined(paths_or_dirs));
}

void TokenShards::add(const std::string& path) {
  SafetensorsFile file(path);
  const SafetensorsEntry* tokens = file.entry("tokens");
  check(tokens, "{}: not a token shard: tensor 'tokens' is missing", path);
  const bool wide = tokens->dtype == "I32" || tokens->dtype == "U32";
  check(wide || tokens->dtype == "U16", "{}: tensor 'tokens' must hold U16, U32 or I32, got {}", path,
        tokens->dtype);
  check(tokens->shape.size() == 1, "{}: tensor 'tokens' must have one dimension, got {}", path,
        tokens->shape.size());
  check(tokens->shape[0] > 0, "{}: tensor 'tokens' is empty", path);
  const TokenVocabulary vocabulary = read_vocabulary(file);
  if (shards_.empty()) vocabulary_ = vocabulary;
  check(vocabulary.same_as(vocabulary_), "{} and {} were made with different tokenizers ({}; {})",
        shards_.empty() ? path : shards_.front().file.path(), path, vocabulary_.text(), vocabulary.text());
  if (vocabulary_.fingerprint.empty()) vocabulary_.fingerprint = vocabulary.fingerprint;
  documents_ += metadata_number(file, "documents", tokens->shape[0] + 1);
  ends_.push_back((ends_.empty() ? 0 : ends_.back()) + tokens->shape[0]);
  const std::byte* data = tokens->bytes.data();
  const auto hash = file.metadata().find("hash");
  const std::string known = hash == file.metadata().end() ? std::string() : hash->second;
  shards_.push_back({std::move(file), data, wide, known});
}

std::vector<std::string> TokenShards::paths() const {
  std::vector<std::string> paths;
  for (const Shard& shard : shards_) paths.push_back(shard.file.path());
  return paths;
}

std::vector<std::string> TokenShards::hash_shards(int threads) const {
  std::vector<std::string> hashes(shards_.size());
  int64_t bytes = 0;
  for (const Shard& shard : shards_) bytes += static_cast<int64_t>(shard.file.entry("tokens")->bytes.size());
  std::optional<Progress> progress;
  constexpr int64_t worth_showing = int64_t{1} << 30;
  if (bytes > worth_showing) progress.emplace("check data", bytes, "bytes");
  std::atomic<int64_t> done{0};
  parallel_tasks(threads, static_cast<int64_t>(shards_.size()), [&](int thread, int64_t i) {
    const std::span<const std::byte> tokens = shards_[static_cast<size_t>(i)].file.entry("tokens")->bytes;
    hashes[static_cast<size_t>(i)] = content_hash(tokens);
    done += static_cast<int64_t>(tokens.size());
    if (progress && thread == 0) progress->update(done);
  });
  return hashes;
}

std::string TokenShards::fingerprint(int threads, bool verify) {
  const auto unknown =
      std::find_if(shards_.begin(), shards_.end(), [](const Shard& shard) { return shard.hash.empty(); });
  if (unknown != shards_.end())
    log::warn("{}: no hash of its tokens, made by an earlier release: reading the data for it",
              unknown->file.path());
  if (verify || unknown != shards_.end()) {
    const std::vector<std::string> hashes = hash_shards(threads);
    for (size_t i = 0; i < shards_.size(); ++i) {
      Shard& shard = shards_[i];
      check(shard.hash.empty() || shard.hash == hashes[i],
            "{}: damaged: its tokens have the hash {}, but {} were written", shard.file.path(),
            short_identity(hashes[i]), short_identity(shard.hash));
      shard.hash = hashes[i];
    }
  }
  ContentHash all;
  for (size_t i = 0; i < shards_.size(); ++i) {
    const int64_t tokens = ends_[i] - (i ? ends_[i - 1] : 0);
    all.add(fmt::format("{} {} {}\n", shards_[i].wide ? 32 : 16, tokens, shards_[i].hash));
  }
  return all.digest();
}

int32_t TokenShards::at(int64_t i) const {
  int32_t id;
  copy(i, 1, &id);
  return id;
}

void TokenShards::copy(int64_t begin, int64_t n, int32_t* out) const {
  check(begin >= 0 && n >= 0 && n <= tokens() && begin <= tokens() - n,
        "tokens {} to {} asked for, but {} and what follows it hold {}", begin, begin + n,
        shards_.front().file.path(), tokens());
  size_t shard = static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), begin) - ends_.begin());
  while (n > 0) {
    const int64_t start = shard ? ends_[shard - 1] : 0;
    const int64_t part = std::min(n, ends_[shard] - begin);
    copy_from(shards_[shard], begin - start, part, out);
    shards_[shard].file.check_size();  // or zeros may have been read for tokens
    begin += part, n -= part, out += part, ++shard;
  }
}

// memcpy element by element: nothing aligns the data of a foreign file, and compilers make it a plain load.
void TokenShards::copy_from(const Shard& shard, int64_t begin, int64_t n, int32_t* out) const {
  uint32_t largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    uint32_t id;
    if (shard.wide) {
      std::memcpy(&id, shard.data + 4 * (begin + i), 4);
    } else {
      uint16_t narrow;
      std::memcpy(&narrow, shard.data + 2 * (begin + i), 2);
      id = narrow;
    }
    largest = std::max(largest, id);
    out[i] = static_cast<int32_t>(id);
  }
  const auto size = static_cast<uint32_t>(vocabulary_.size);
  if (largest < size) return;
  const int64_t bad =
      std::find_if(out, out + n, [size](int32_t id) { return static_cast<uint32_t>(id) >= size; }) - out;
  fail("{}: token {} is {}, outside the vocabulary of {}", shard.file.path(), begin + bad, out[bad], size);
}

TokenShardWriter::TokenShardWriter(std::string dir, std::string split, TokenVocabulary vocabulary,
                                   int64_t shard_tokens)
    : dir_(std::move(dir)),
      split_(std::move(split)),
      vocabulary_(std::move(vocabulary)),
      shard_tokens_(shard_tokens) {
  check(shard_tokens > 0, "a shard must take at least one token, got a limit of {}", shard_tokens);
}

void TokenShardWriter::continue_after(const TokenShards& finished) {
  shards_ = static_cast<int64_t>(finished.paths().size());
  documents_ = finished.documents();
  tokens_ = finished.tokens();
}

void TokenShardWriter::add(std::span<const int32_t> document) {
  const auto n = static_cast<int64_t>(document.size());
  if (pending() > 0 && pending() + n > shard_tokens_) write_shard();
  if (vocabulary_.size <= narrow_vocabulary) {
    for (const int32_t id : document) narrow_.push_back(static_cast<uint16_t>(id));
  } else {
    wide_.insert(wide_.end(), document.begin(), document.end());
  }
  ++pending_documents_, ++documents_;
  tokens_ += n;
}

void TokenShardWriter::finish() {
  if (pending() > 0) write_shard();
}

void TokenShardWriter::write_shard() {
  const bool narrow = wide_.empty();
  const Tensor tokens = narrow ? Tensor(narrow_.data(), DType::bf16, {pending()})
                               : Tensor(wide_.data(), DType::i32, {pending()});
  const NamedTensor tensor = {"tokens", tokens, narrow ? "U16" : "I32"};
  write_safetensors(dir_ + "/" + shard_name(split_, shards_++), {&tensor, 1},
                    {{"vocab_size", std::to_string(vocabulary_.size)},
                     {"bos", std::to_string(vocabulary_.bos)},
                     {"eos", std::to_string(vocabulary_.eos)},
                     {"tokenizer", vocabulary_.fingerprint},
                     {"hash", content_hash({static_cast<const std::byte*>(tokens.data),
                                            static_cast<size_t>(tokens.bytes())})},
                     {"documents", std::to_string(pending_documents_)}});
  narrow_.clear();
  wide_.clear();
  pending_documents_ = 0;
}

}  // namespace fathom
