// Text for pretraining from files and folders, as one stream of documents. A .jsonl line or a .parquet row is
// a document; a .txt file is cut into several, so that a part can be set aside for validation and no document
// is a whole library.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/documents.h"

namespace fathom {

struct CorpusOptions {
  std::optional<TextFormat> format;  // of every file; by default its name says it
  std::string text_field = "text";   // of a .jsonl line, or a .parquet column
  int64_t chunk_size = 2000;         // bytes after which a .txt file is cut; 0: never
  bool skip_bad = false;             // leave out lines and rows without a text instead of stopping there
};

struct CorpusFile {
  std::string path;
  TextFormat format;
};

// Files as given; folders stand for the .txt, .jsonl and .ndjson files below them, each also as .zst or .gz,
// and the .parquet files, sorted by path, and one warning says what else they hold. With options.format: all
// their files that are not hidden. Error if one does not exist, a file's name does not say its format, or a
// folder holds no text.
std::vector<CorpusFile> corpus_files(const std::vector<std::string>& inputs, const CorpusOptions& options);

// Cuts plain text at the first blank line after `size` bytes, or at the first line end after eight times as
// many. Line ends become "\n"; blank lines at the seams are dropped.
class TextChunks {
 public:
  TextChunks(const std::string& path, int64_t size) : lines_(path), size_(static_cast<size_t>(size)) {}

  bool next(std::string& chunk);
  // The number of the chunk's first line.
  int64_t first_line() const { return first_line_; }
  const LineReader& lines() const { return lines_; }

 private:
  LineReader lines_;
  size_t size_;
  int64_t first_line_ = 0;
};

// What was found in a corpus that its owner should know.
struct CorpusNotes {
  BadLines bad_lines;            // left out
  int64_t blank_documents = 0;   // left out
  int64_t byte_order_marks = 0;  // skipped
  std::string first_byte_order_mark;
  int64_t malformed_bytes = 0;  // not UTF-8; kept
  std::string first_malformed;  // "a.txt:7"

  // One warning for each kind.
  void log() const;
};

class CorpusReader {
 public:
  CorpusReader(std::vector<CorpusFile> files, const CorpusOptions& options);

  // next() gives only those documents whose entry is true. The list must outlive this object.
  void keep_only(const std::vector<bool>& keep) { keep_ = &keep; }
  // The next document with something else in it than white space.
  bool next(std::string& document);
  // Of the document that next() gave last: the number of its file and of its first line, or its row, there.
  size_t file() const { return opened_ - 1; }
  int64_t line() const { return chunks_ ? chunks_->first_line() : documents_->line_number(); }
  // Bytes of the files, as they lie on the disk.
  int64_t bytes_consumed() const;
  int64_t bytes_total() const { return bytes_total_; }
  // The files, for an error: "a.txt and 2 more files".
  std::string names() const;
  const std::string& path(size_t file) const { return files_[file].path; }
  // Complete when next() has returned false.
  const CorpusNotes& notes() const { return notes_; }

 private:
  void open(const CorpusFile& file);
  void close();
  bool next_of_corpus(std::string& document);
  bool next_of_file(std::string& document);
  void note_malformed(const std::string& document);

  std::vector<CorpusFile> files_;
  CorpusOptions options_;
  CorpusNotes notes_;
  int64_t bytes_before_ = 0, bytes_total_ = 0;
  size_t opened_ = 0, given_ = 0;              // files, documents
  const std::vector<bool>* keep_ = nullptr;    // null: all
  bool has_rows_ = false, has_text_ = false;   // the open file; rows are lines of a .jsonl too
  std::unique_ptr<DocumentReader> documents_;  // of the open file: one of the two
  std::unique_ptr<TextChunks> chunks_;
};

}  // namespace fathom
