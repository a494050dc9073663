// What one process contributes to a folder of tensors (io/tensor_files.h): slices of them, from the memory of
// its device, and the hashes of what it wrote.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/content_hash.h"
#include "io/tensor_files.h"
#include "tensor/device.h"
#include "tensor/memory.h"
#include "tensor/tensor.h"

namespace fathom {

// Elements of a tensor in row-major order, from `first` on: as many as there are values, of any shape.
template <class View>
struct SliceOf {
  std::string name;
  int64_t first = 0;
  View values{};  // contiguous
};
using TensorSlice = SliceOf<ConstTensor>;
// That is to be filled.
using SliceToRead = SliceOf<Tensor>;

class SliceWriter {
 public:
  struct Piece {
    int64_t tensor, first;  // see TensorFiles
    ConstTensor values;     // [n]

    bool begins() const { return first == 0; }
  };

  // Error where a slice is none of these tensors'. The device and its memory must outlive the writer.
  SliceWriter(const Device& device, TensorFiles& files, const std::vector<TensorSlice>& slices);

  // In the order of their places in the files.
  const std::vector<Piece>& pieces() const { return pieces_; }
  // Writes them all; returns when they are on the disk.
  void write();

  // After write(). The hash of each of the files' tensors that is whole here; 0 of the others.
  const std::vector<HashValue>& hashes() const { return hashes_; }
  // Of a tensor that is in pieces: the hash of its bytes up to the end of this one. `before` is that of the
  // bytes up to its beginning, where there are some.
  ContentHash hash_up_to(const Piece& piece, const std::optional<ContentHash::State>& before);

 private:
  using Use = std::function<void(uint64_t offset, std::span<const std::byte> bytes)>;
  void read(const Piece& piece, const Use& use);
  void write(const Piece& piece);

  Staging staging_;
  TensorFiles& files_;
  std::vector<Piece> pieces_;
  std::vector<HashValue> hashes_;
  std::unordered_map<int64_t, ContentHash> begun_;  // of tensors that others go on with
};

}  // namespace fathom
