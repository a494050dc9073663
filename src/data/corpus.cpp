#include "data/corpus.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "text/utf8.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr const char* known_names = ".txt, .jsonl or .ndjson (plain, .zst or .gz) or .parquet";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

std::string counted(int64_t n, const char* what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

void add_folder(const std::string& folder, const CorpusOptions& options, std::vector<CorpusFile>& files) {
  std::vector<CorpusFile> found;
  std::vector<std::string> others;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    if (!it->is_regular_file(error) || path.filename().string().starts_with('.')) continue;
    const std::optional<TextFormat> format = options.format ? options.format : text_format_of(path.string());
    if (format)
      found.push_back({path.string(), *format});
    else
      others.push_back(path.string());
  }
  check(!error, "{}: cannot list the folder: {}", folder, error.message());
  check(!found.empty(), "{}: the folder holds no file named {}", folder, known_names);
  if (!others.empty())
    log::warn("{}: {} left out, not named {}: {}", folder,
              counted(static_cast<int64_t>(others.size()), "file"), known_names,
              *std::min_element(others.begin(), others.end()));
  std::sort(found.begin(), found.end(),
            [](const CorpusFile& a, const CorpusFile& b) { return a.path < b.path; });
  files.insert(files.end(), found.begin(), found.end());
}

CorpusFile named_file(const std::string& path, const CorpusOptions& options) {
  const std::optional<TextFormat> format = options.format ? options.format : text_format_of(path);
  check(format.has_value(),
        "{}: the name does not tell the format: expected {}, or --as text, jsonl or parquet", path,
        known_names);
  return {path, *format};
}

}  // namespace

std::vector<CorpusFile> corpus_files(const std::vector<std::string>& inputs, const CorpusOptions& options) {
  std::vector<CorpusFile> files;
  for (const std::string& input : inputs) {
    std::error_code ignored;
    check(fs::exists(input, ignored), "{}: no such file or folder", input);
    if (fs::is_directory(input, ignored))
      add_folder(input, options, files);
    else
      files.push_back(named_file(input, options));
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
    if (chunk.empty()) first_line_ = lines_.line_number();
    chunk += line;
    chunk += '\n';
    if (chunk.size() / 8 >= size_) break;
  }
  while (!chunk.empty() && chunk.back() == '\n') chunk.pop_back();
  return !chunk.empty();
}

void CorpusNotes::log() const {
  if (bad_lines.count > 0) {
    std::string examples;
    for (const std::string& example : bad_lines.examples) examples += "; " + example;
    log::warn("{} left out{}{}", counted(bad_lines.count, "malformed line"), examples,
              bad_lines.count > static_cast<int64_t>(bad_lines.examples.size()) ? "; ..." : "");
  }
  if (blank_documents > 0) log::warn("{} left out", counted(blank_documents, "blank document"));
  if (byte_order_marks > 0)
    log::warn("{} skipped, the first in {}", counted(byte_order_marks, "byte order mark"),
              first_byte_order_mark);
  if (malformed_bytes > 0)
    log::warn("{} of the text not valid UTF-8, the first in {}", counted(malformed_bytes, "byte"),
              first_malformed);
}

CorpusReader::CorpusReader(std::vector<CorpusFile> files, const CorpusOptions& options)
    : files_(std::move(files)), options_(options) {
  check(options.chunk_size >= 0, "text cannot be cut into chunks of {} bytes", options.chunk_size);
  for (const CorpusFile& file : files_) {
    std::error_code ignored;
    const uintmax_t size = fs::file_size(file.path, ignored);
    if (!ignored) bytes_total_ += static_cast<int64_t>(size);  // else opening it will say what is wrong
  }
}

bool CorpusReader::next(std::string& document) {
  while (next_of_corpus(document)) {
    if (!keep_) return true;
    check(given_ < keep_->size(),
          "{}: the text has changed while it was read: there are more documents than before", names());
    if ((*keep_)[given_++]) return true;
  }
  return false;
}

bool CorpusReader::next_of_corpus(std::string& document) {
  for (;;) {
    while ((documents_ || chunks_) && next_of_file(document)) {
      if (is_blank(document)) {
        notes_.blank_documents += has_rows_;
        continue;
      }
      has_text_ = true;
      note_malformed(document);
      return true;
    }
    close();
    if (opened_ == files_.size()) return false;
    open(files_[opened_++]);
  }
}

void CorpusReader::open(const CorpusFile& file) {
  if (file.format == TextFormat::text && options_.chunk_size > 0)
    chunks_ = std::make_unique<TextChunks>(file.path, options_.chunk_size);
  else
    documents_ = std::make_unique<DocumentReader>(file.path, file.format, options_.text_field,
                                                  options_.skip_bad ? &notes_.bad_lines : nullptr);
  has_rows_ = file.format != TextFormat::text;
  has_text_ = false;
  const bool marked = chunks_ ? chunks_->lines().had_byte_order_mark() : documents_->had_byte_order_mark();
  if (marked && notes_.byte_order_marks++ == 0) notes_.first_byte_order_mark = file.path;
}

void CorpusReader::close() {
  if ((documents_ || chunks_) && !has_rows_ && !has_text_) ++notes_.blank_documents;
  bytes_before_ = bytes_consumed();
  documents_.reset();
  chunks_.reset();
}

bool CorpusReader::next_of_file(std::string& document) {
  return documents_ ? documents_->next(document) : chunks_->next(document);
}

// JSON is known to be UTF-8.
void CorpusReader::note_malformed(const std::string& document) {
  std::string_view left = document;
  for (left.remove_prefix(valid_utf8_prefix(left)); !left.empty();
       left.remove_prefix(valid_utf8_prefix(left))) {
    if (notes_.malformed_bytes == 0) {
      const auto end = document.end() - static_cast<std::ptrdiff_t>(left.size());
      const int64_t lines = has_rows_ ? 0 : std::count(document.begin(), end, '\n');
      notes_.first_malformed = fmt::format("{}:{}", path(file()), line() + lines);
    }
    const size_t malformed = malformed_utf8_prefix(left);
    const size_t n = malformed > 0 ? malformed : left.size();  // cut off at the end
    notes_.malformed_bytes += static_cast<int64_t>(n);
    left.remove_prefix(n);
  }
}

std::string CorpusReader::names() const {
  if (files_.empty()) return "no files";
  const auto more = static_cast<int64_t>(files_.size()) - 1;
  return files_[0].path + (more > 0 ? " and " + counted(more, "more file") : "");
}

int64_t CorpusReader::bytes_consumed() const {
  const int64_t here = documents_ ? documents_->consumed()
                       : chunks_  ? chunks_->lines().source().consumed()
                                  : 0;
  return bytes_before_ + here;
}

}  // namespace fathom
