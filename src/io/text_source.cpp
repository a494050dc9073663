#include "io/text_source.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "io/decompressor.h"
#include "io/mapped_file.h"

namespace fathom {
namespace {

constexpr std::string_view zstd_ending = ".zst", gzip_ending = ".gz";

std::unique_ptr<Decompressor> decompressor_for(const std::string& path) {
  if (path.ends_with(zstd_ending)) return make_zstd_decompressor();
  if (path.ends_with(gzip_ending)) return make_gzip_decompressor();
  return nullptr;
}

}  // namespace

std::string_view without_compression(std::string_view path) {
  for (const std::string_view ending : {zstd_ending, gzip_ending})
    if (path.ends_with(ending)) return path.substr(0, path.size() - ending.size());
  return path;
}

struct TextSource::State {
  explicit State(const std::string& path) : file(path), decompressor(decompressor_for(path)) {}

  std::span<const std::byte> left() const { return file.bytes().subspan(position); }
  // What is read does not stay in memory: a file may be larger.
  void advance(size_t n) {
    constexpr size_t most = size_t{4} << 20;
    position += n;
    if (position - held_from < most) return;
    file.let_go(held_from, position);
    held_from = position;
  }

  MappedFile file;
  std::unique_ptr<Decompressor> decompressor;  // null for plain files
  size_t position = 0, held_from = 0;
};

TextSource::TextSource(const std::string& path) : state_(std::make_unique<State>(path)) {}

TextSource::~TextSource() = default;

size_t TextSource::read(char* data, size_t size) {
  State& s = *state_;
  if (!s.decompressor) {
    const size_t n = std::min(size, s.left().size());
    if (n > 0) std::memcpy(data, s.left().data(), n);
    s.advance(n);
    return n;
  }
  while (size > 0) {
    const Decompressor::Progress done = s.decompressor->step(s.left(), {data, size}, s.file.path());
    s.advance(done.read);
    if (done.written > 0 || done.read == 0) return done.written;
  }
  return 0;
}

const std::string& TextSource::path() const {
  return state_->file.path();
}
int64_t TextSource::consumed() const {
  return static_cast<int64_t>(state_->position);
}
int64_t TextSource::total() const {
  return static_cast<int64_t>(state_->file.bytes().size());
}

}  // namespace fathom
