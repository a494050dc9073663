// Text for pretraining from files and folders, as one stream of documents. A .jsonl line is a document; a
// .txt file is cut into several, so that a part can be set aside for validation and no document is a whole
// library.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/lines.h"

namespace fathom {

// Files as given; folders stand for the .txt, .jsonl and .ndjson files below them, each also as .zst, sorted
// by path. Error if one does not exist, or a folder holds no text.
std::vector<std::string> corpus_files(const std::vector<std::string>& inputs);

// Cuts plain text at the first blank line after `size` bytes, or at the first line end after eight times as
// many. Line ends become "\n"; blank lines at the seams are dropped.
class TextChunks {
 public:
  TextChunks(const std::string& path, int64_t size) : lines_(path), size_(static_cast<size_t>(size)) {}

  bool next(std::string& chunk);
  const TextSource& source() const { return lines_.source(); }

 private:
  LineReader lines_;
  size_t size_;
};

class CorpusReader {
 public:
  // `chunk_size` is for TextChunks; 0 keeps each .txt file whole.
  CorpusReader(std::vector<std::string> files, std::string text_field, int64_t chunk_size);

  // The next document with something else in it than white space.
  bool next(std::string& document);
  // Bytes of the files, as they lie on the disk.
  int64_t bytes_consumed() const;
  int64_t bytes_total() const { return bytes_total_; }

 private:
  bool next_of_file(std::string& document);

  std::vector<std::string> files_;
  std::string text_field_;
  int64_t chunk_size_, bytes_before_ = 0, bytes_total_ = 0;
  size_t opened_ = 0;
  std::unique_ptr<DocumentReader> documents_;  // of the open file: one of the two
  std::unique_ptr<TextChunks> chunks_;
};

}  // namespace fathom
