// Training text as token ids on disk. A shard is a safetensors file with one tensor `tokens` [n] (U16 when
// the vocabulary fits 16 bits, else I32), with the vocabulary's particulars and the hash of the tokens as
// metadata; a data set is a folder with train-00000.safetensors, ... and val-00000.safetensors, ... Every
// document is BOS, text, EOS.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/hidden_folder.h"
#include "io/safetensors.h"

namespace fathom {

// The vocabulary the ids belong to. All shards of a data set share it.
struct TokenVocabulary {
  int32_t size = 0;
  int32_t bos = 0, eos = 0;
  std::string fingerprint;  // tokenizer_identity(); empty: the shards do not say

  bool operator==(const TokenVocabulary&) const = default;
  // As far as both say.
  bool same_as(const TokenVocabulary& other) const {
    return size == other.size && bos == other.bos && eos == other.eos &&
           (fingerprint == other.fingerprint || fingerprint.empty() || other.fingerprint.empty());
  }
  // For errors: its size and its identity's first digits.
  std::string text() const;
};

// Names of the files of a data set.
FilePatterns data_set_files();

// The shards of `split` ("train", "val") in each folder, sorted by name; paths of files stand for themselves.
// Empty when the folders hold none.
std::vector<std::string> shard_files(const std::vector<std::string>& paths_or_dirs, std::string_view split);

// All shards of a data set as one long stream, mapped into memory. Reading is safe from several threads.
class TokenShards {
 public:
  // Error when there is no shard, or when shards disagree about the vocabulary.
  explicit TokenShards(const std::vector<std::string>& paths_or_dirs, std::string_view split = "train");

  int64_t tokens() const { return ends_.back(); }
  int64_t documents() const { return documents_; }
  // The first token of a shard in the stream; of one behind the last, the end.
  int64_t begin(size_t shard) const { return shard == 0 ? 0 : ends_[shard - 1]; }
  const TokenVocabulary& vocabulary() const { return vocabulary_; }
  // The files, in order.
  std::vector<std::string> paths() const;
  // Tells this stream of tokens from any other: a hash over the shards' hashes, in order. A shard without one
  // in its metadata is read for it, which is said once; with `verify` every shard is read, and an Error names
  // one whose tokens are no longer those that were written.
  std::string fingerprint(int threads, bool verify);
  int32_t vocab_size() const { return vocabulary_.size; }

  int32_t at(int64_t i) const;
  // out[0..n) = tokens begin..begin+n. Error naming file and place if an id is not of the vocabulary.
  void copy(int64_t begin, int64_t n, int32_t* out) const;

 private:
  struct Shard {
    SafetensorsFile file;
    const std::byte* data;
    bool wide;         // 32-bit ids
    std::string hash;  // of the tokens, as the metadata has it; empty: it has none
  };
  std::vector<std::string> hash_shards(int threads) const;
  void add(const std::string& path);
  void copy_from(const Shard& shard, int64_t begin, int64_t n, int32_t* out) const;

  std::vector<Shard> shards_;
  std::vector<int64_t> ends_;  // ends_[i]: tokens in shards 0..i
  int64_t documents_ = 0;
  TokenVocabulary vocabulary_;
};

// Writes the shards of one split into a folder that exists. Each file appears complete or not at all.
class TokenShardWriter {
 public:
  // A shard takes up to `shard_tokens` tokens and ends with a document; a longer document gets one of its
  // own.
  TokenShardWriter(std::string dir, std::string split, TokenVocabulary vocabulary, int64_t shard_tokens);

  // Goes on behind shards of this folder that an earlier writer with the same documents has finished.
  void continue_after(const TokenShards& finished);
  // One document with its BOS and EOS.
  void add(std::span<const int32_t> document);
  // Writes the last shard. Without documents there is none.
  void finish();

  int64_t tokens() const { return tokens_; }
  int64_t documents() const { return documents_; }

 private:
  int64_t pending() const { return static_cast<int64_t>(narrow_.size() + wide_.size()); }
  void write_shard();

  std::string dir_, split_;
  TokenVocabulary vocabulary_;
  int64_t shard_tokens_;
  std::vector<uint16_t> narrow_;  // one of the two is in use
  std::vector<int32_t> wide_;
  int64_t pending_documents_ = 0, shards_ = 0, tokens_ = 0, documents_ = 0;
};

}  // namespace fathom
