// Streaming text: a file read in blocks, through zstd where the name asks for it.
#include "io/lines.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/error.h"
#include "io/file.h"
#include "io/json.h"

namespace fathom {
namespace {

constexpr size_t block_size = 1 << 18;
constexpr size_t longest_line = size_t{1} << 30;  // a compressed file can claim any length

constexpr int largest_window_log = 31;  // what files made with --long=31 need; the default refuses them

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

bool is_jsonl(std::string name) {
  if (name.ends_with(".zst")) name.resize(name.size() - 4);
  return name.ends_with(".jsonl") || name.ends_with(".ndjson");
}

}  // namespace

struct TextSource::State {
  explicit State(const std::string& path) : file(path) {}

  MappedFile file;
  std::unique_ptr<ZSTD_DStream, FreeStream> zstd;  // null for plain files
  size_t position = 0;
  bool in_frame = true;  // an empty file is a truncated frame too
};

TextSource::TextSource(const std::string& path) : state_(std::make_unique<State>(path)) {
  if (!path.ends_with(".zst")) return;
  state_->zstd.reset(ZSTD_createDStream());
  check(state_->zstd != nullptr, "{}: no memory to decompress", path);
  ZSTD_DCtx_setParameter(state_->zstd.get(), ZSTD_d_windowLogMax, largest_window_log);
}

TextSource::~TextSource() = default;

size_t TextSource::read(char* data, size_t size) {
  State& s = *state_;
  const std::span<const std::byte> bytes = s.file.bytes();
  if (!s.zstd) {
    const size_t n = std::min(size, bytes.size() - s.position);
    if (n > 0) std::memcpy(data, bytes.data() + s.position, n);
    s.position += n;
    return n;
  }
  ZSTD_outBuffer out{data, size, 0};
  // At the end of the input the decoder may still hold output, so it is asked until it makes no progress.
  while (out.pos == 0 && size > 0) {
    if (s.position == bytes.size() && !s.in_frame) return 0;
    ZSTD_inBuffer in{bytes.data() + s.position, std::min(bytes.size() - s.position, block_size), 0};
    const size_t status = ZSTD_decompressStream(s.zstd.get(), &out, &in);
    check(!ZSTD_isError(status), "{}: corrupt zstd data: {}", s.file.path(), ZSTD_getErrorName(status));
    s.position += in.pos;
    s.in_frame = status != 0;
    check(!s.in_frame || out.pos > 0 || in.pos > 0, "{}: truncated zstd data", s.file.path());
  }
  return out.pos;
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

bool LineReader::next(std::string& line) {
  size_t searched = at_;
  for (;;) {
    size_t end = buffer_.find('\n', searched);
    const bool found = end != std::string::npos;
    if (!found) {
      // Keep the unfinished line and read on behind it.
      buffer_.erase(0, at_);
      at_ = 0;
      searched = end = buffer_.size();
      check(end <= longest_line, "{}:{}: line longer than {} bytes", source_.path(), line_number_ + 1,
            longest_line);
      buffer_.resize(end + block_size);
      buffer_.resize(end + source_.read(buffer_.data() + end, block_size));
      if (buffer_.size() > end) continue;
      if (buffer_.empty()) return false;
    }
    ++line_number_;
    const size_t length = end - at_ - (end > at_ && buffer_[end - 1] == '\r' ? 1 : 0);
    line.assign(buffer_, at_, length);
    at_ = std::min(end + 1, buffer_.size());
    return true;
  }
}

void LineReader::rest(std::string& text) {
  text.assign(buffer_, at_);
  buffer_.clear();
  at_ = 0;
  for (size_t used = text.size();;) {
    // The string grows by doubling; each read fills what it has.
    text.resize(std::max(text.capacity(), used + block_size));
    const size_t n = source_.read(text.data() + used, text.size() - used);
    used += n;
    if (n > 0) continue;
    text.resize(used);
    return;
  }
}

DocumentReader::DocumentReader(std::string path, std::string text_field)
    : path_(std::move(path)), text_field_(std::move(text_field)), jsonl_(is_jsonl(path_)), lines_(path_) {}

bool DocumentReader::next(std::string& document) {
  if (done_) return false;
  if (!jsonl_) {
    done_ = true;
    lines_.rest(document);
    return !document.empty();
  }
  std::string line;
  while (lines_.next(line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("{}:{}", path_, lines_.line_number());
    const Json json = parse_json(line, where);
    document = JsonObject(json, where).required<std::string>(text_field_);
    return true;
  }
  done_ = true;
  return false;
}

}  // namespace fathom
