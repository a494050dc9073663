#include "io/slice_writer.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace fathom {
namespace {

constexpr int64_t chunk_bytes = 8 << 20;  // written, and then hashed, while they are in the cache

}  // namespace

SliceWriter::SliceWriter(const Device& device, TensorFiles& files, const std::vector<TensorSlice>& slices)
    : staging_(device), files_(files), hashes_(static_cast<size_t>(files.count())) {
  for (const TensorSlice& s : slices) {
    const int64_t tensor = files.find(s.name), n = s.values.count();
    const StoredTensor& stored = files.tensor(tensor);
    check(s.values.contiguous(), "tensor '{}': a slice of it is not contiguous: {}", s.name,
          s.values.shape_text());
    check(s.values.dtype == stored.dtype, "tensor '{}': a slice of it is {}, to be stored as {}", s.name,
          name_of(s.values.dtype), name_of(stored.dtype));
    check(0 <= s.first && n <= stored.count() - s.first,
          "tensor '{}': has {} elements, and a slice of it goes from {} to {}", s.name, stored.count(),
          s.first, s.first + n);
    pieces_.push_back({tensor, s.first, s.values.reshape({n})});
  }
  std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
    return std::tie(a.tensor, a.first) < std::tie(b.tensor, b.first);
  });
}

void SliceWriter::read(const Piece& piece, const Use& use) {
  const int64_t size = size_of(piece.values.dtype), n = piece.values.count(), most = chunk_bytes / size;
  for (int64_t at = 0; at < n; at += most) {
    const ConstTensor host = staging_.read(piece.values.slice(at, std::min(most, n - at)));
    use(static_cast<uint64_t>((piece.first + at) * size),
        {static_cast<const std::byte*>(host.data), static_cast<size_t>(host.bytes())});
  }
}

void SliceWriter::write() {
  for (const Piece& piece : pieces_) write(piece);
  files_.sync();
}

void SliceWriter::write(const Piece& piece) {
  ContentHash hash;
  read(piece, [&](uint64_t offset, std::span<const std::byte> bytes) {
    files_.write(piece.tensor, offset, bytes);
    if (piece.begins()) hash.add(bytes);
  });
  if (!piece.begins()) return;
  if (piece.values.count() == files_.tensor(piece.tensor).count())
    hashes_[piece.tensor] = hash.value();
  else
    begun_.insert_or_assign(piece.tensor, std::move(hash));
}

ContentHash SliceWriter::hash_up_to(const Piece& piece, const std::optional<ContentHash::State>& before) {
  if (!before) return std::move(begun_.at(piece.tensor));
  ContentHash hash(*before);
  read(piece, [&](uint64_t, std::span<const std::byte> bytes) { hash.add(bytes); });
  return hash;
}

}  // namespace fathom
