#include "train/corpus.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::string_view without_zst(std::string_view path) {
  return path.ends_with(".zst") ? path.substr(0, path.size() - 4) : path;
}

bool is_jsonl(std::string_view path) {
  return without_zst(path).ends_with(".jsonl") || without_zst(path).ends_with(".ndjson");
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

void add_folder(const std::string& folder, std::vector<std::string>& files) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    if (it->is_regular_file(error) && (is_jsonl(path) || without_zst(path).ends_with(".txt")))
      found.push_back(path);
  }
  check(!error, "{}: cannot list the folder: {}", folder, error.message());
  check(!found.empty(), "{}: the folder holds no .txt or .jsonl files (plain or .zst)", folder);
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
}

}  // namespace

std::vector<std::string> corpus_files(const std::vector<std::string>& inputs) {
  std::vector<std::string> files;
  for (const std::string& input : inputs) {
    std::error_code ignored;
    check(fs::exists(input, ignored), "{}: no such file or folder", input);
    if (fs::is_directory(input, ignored))
      add_folder(input, files);
    else
      files.push_back(input);
  }
  return files;
}

bool TextChunks::next(std::string& chunk) {
  chunk.clear();
  std::string line;
  while (lines_.next(line)) {
    if (is_blank(line)) {
      if (chunk.size() >= size_) break;
      if (!chunk.empty()) chunk += '\n';
      continue;
    }
    chunk += line;
    chunk += '\n';
    if (chunk.size() / 8 >= size_) break;
  }
  while (!chunk.empty() && chunk.back() == '\n') chunk.pop_back();
  return !chunk.empty();
}

CorpusReader::CorpusReader(std::vector<std::string> files, std::string text_field, int64_t chunk_size)
    : files_(std::move(files)), text_field_(std::move(text_field)), chunk_size_(chunk_size) {
  check(chunk_size >= 0, "text cannot be cut into chunks of {} bytes", chunk_size);
  for (const std::string& file : files_) {
    std::error_code ignored;
    const uintmax_t size = fs::file_size(file, ignored);
    if (!ignored) bytes_total_ += static_cast<int64_t>(size);  // else opening it will say what is wrong
  }
}

bool CorpusReader::next(std::string& document) {
  for (;;) {
    while ((documents_ || chunks_) && next_of_file(document))
      if (!is_blank(document)) return true;
    bytes_before_ = bytes_consumed();
    documents_.reset();
    chunks_.reset();
    if (opened_ == files_.size()) return false;
    const std::string& file = files_[opened_++];
    if (is_jsonl(file) || chunk_size_ == 0)
      documents_ = std::make_unique<DocumentReader>(file, text_field_);
    else
      chunks_ = std::make_unique<TextChunks>(file, chunk_size_);
  }
}

bool CorpusReader::next_of_file(std::string& document) {
  return documents_ ? documents_->next(document) : chunks_->next(document);
}

int64_t CorpusReader::bytes_consumed() const {
  return bytes_before_ + (documents_ ? documents_->bytes_consumed()
                          : chunks_  ? chunks_->source().consumed()
                                     : 0);
}

}  // namespace fathom
