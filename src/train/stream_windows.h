// Windows of token shards. The stream is cut into windows of sequence_length+1 tokens, one every
// sequence_length tokens: inputs and, one further, their targets. A window's place is its first token.
#pragma once
#include "train/token_shard.h"
#include "train/windows.h"

namespace fathom {

struct Packing {
  int64_t sequence_length = 0;
  // false: a window is one sequence, as the paper packs its 4K. true: a sequence ends with its document (at
  // an EOS, or before a BOS): attention and positions do not reach across, and a document's last token has no
  // target.
  bool document_mask = false;
};

class StreamWindows : public Windows {
 public:
  StreamWindows(TokenShards shards, Packing packing) : shards_(std::move(shards)), packing_(packing) {}

  // Each window is a unit of token dropping. Error as TokenShards::copy.
  void pack(std::span<const int64_t> places, PackedBatch& out) const override;
  WindowSize size(int64_t place) const override;

  const TokenShards& shards() const { return shards_; }

 private:
  TokenShards shards_;
  Packing packing_;
};

}  // namespace fathom
