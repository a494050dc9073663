#include "text/tokenizer.h"

#include <filesystem>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "io/file.h"
#include "text/piece_cache.h"
#include "text/tokenizer_definition.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// Encodes for one thread at a time; keeps its cache from text to text.
class Encoder {
 public:
  explicit Encoder(const TokenizerDefinition& definition) : definition_(definition) {}

  void encode(std::string_view text, bool parse_special, std::vector<int32_t>& out) {
    definition_.added.split(text, parse_special, [&](std::string_view part, const AddedToken* token) {
      if (token)
        out.push_back(token->id);
      else
        encode_ordinary(part, out);
    });
  }

  void encode(std::span<const TextRun> runs, std::vector<int32_t>& out) {
    std::string ordinary;  // since the last added token
    const auto flush = [&] {
      encode_ordinary(ordinary, out);
      ordinary.clear();
    };
    for (const TextRun& run : runs)
      definition_.added.split(run.text, run.parse_special,
                              [&](std::string_view part, const AddedToken* token) {
                                if (!token) return void(ordinary += part);
                                flush();
                                out.push_back(token->id);
                              });
    flush();
  }

 private:
  void encode_ordinary(std::string_view text, std::vector<int32_t>& out) {
    const PieceSink sink = [this, &out](std::string_view piece) { encode_piece(piece, out); };
    while (!text.empty()) {
      const size_t valid = valid_utf8_prefix(text);
      definition_.pre_tokenizer->split(text.substr(0, valid), regex_, sink);
      text.remove_prefix(valid);
      size_t malformed = 0;
      while (malformed < text.size() && decode_utf8(&text[malformed], text.data() + text.size()).length == 0)
        ++malformed;
      if (malformed > 0) encode_malformed(text.substr(0, malformed), out);
      text.remove_prefix(malformed);
    }
    finish(out);
  }

  void encode_malformed(std::string_view bytes, std::vector<int32_t>& out) {
    std::string piece;
    for (const char c : bytes) {
      if (definition_.bpe->byte_id(static_cast<unsigned char>(c)) >= 0)
        piece += c;
      else
        piece += replacement_character;
    }
    encode_part(piece, out);
  }

  void encode_piece(std::string_view piece, std::vector<int32_t>& out) {
    size_t n = definition_.join_filter.first_part(piece);
    for (; n < piece.size(); n = definition_.join_filter.first_part(piece)) {
      encode_part(piece.substr(0, n), out);
      piece.remove_prefix(n);
    }
    encode_part(piece, out);
  }

  // The cache is larger than the processor's: parts wait while their slots are loaded.
  void encode_part(std::string_view part, std::vector<int32_t>& out) {
    if (part.size() > PieceCache::max_bytes) {
      finish(out);
      return merge(part, out);
    }
    const PieceCache::Key& key = waiting_[waiting_count_++] = PieceCache::key_of(part);
    cache_.prefetch(key);
    if (waiting_count_ == waiting_.size()) finish(out);
  }

  void finish(std::vector<int32_t>& out) {
    for (size_t i = 0; i < waiting_count_; ++i) {
      const PieceCache::Key& key = waiting_[i];
      if (const PieceCache::Entry* known = cache_.find(key)) {
        for (uint32_t k = 0; k < known->count; ++k) out.push_back(known->ids[k]);
        continue;
      }
      const size_t begin = out.size();
      merge(PieceCache::piece_of(key), out);
      cache_.store(key, std::span(out).subspan(begin));
    }
    waiting_count_ = 0;
  }

  void merge(std::string_view piece, std::vector<int32_t>& out) {
    if (definition_.ignore_merges) {
      if (const auto it = definition_.vocabulary.find(piece); it != definition_.vocabulary.end())
        return out.push_back(it->second);
    }
    definition_.bpe->merge(piece, bpe_, out);
  }

  const TokenizerDefinition& definition_;
  PieceCache cache_;
  std::array<PieceCache::Key, 32> waiting_;
  size_t waiting_count_ = 0;
  RegexScratch regex_;
  BpeScratch bpe_;
};

}  // namespace

// Encoders that no thread uses right now. Their number grows to that of the threads that encode at once.
class Tokenizer::EncoderPool {
 public:
  explicit EncoderPool(const TokenizerDefinition& definition) : definition_(definition) {}

  std::unique_ptr<Encoder> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Encoder>(definition_);
    std::unique_ptr<Encoder> encoder = std::move(idle_.back());
    idle_.pop_back();
    return encoder;
  }
  void put_back(std::unique_ptr<Encoder> encoder) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(encoder));
  }

 private:
  const TokenizerDefinition& definition_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Encoder>> idle_;
};

Tokenizer::Tokenizer(TokenizerDefinition definition)
    : definition_(std::make_unique<const TokenizerDefinition>(std::move(definition))),
      pool_(std::make_unique<EncoderPool>(*definition_)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path file = fs::is_directory(path) ? fs::path(path) / "tokenizer.json" : fs::path(path);
  TokenizerDefinition definition = parse_tokenizer(read_file(file.string()), file.string());
  const fs::path config = file.parent_path() / "tokenizer_config.json";
  if (fs::exists(config)) apply_tokenizer_config(definition, read_json(config.string()), config.string());
  return Tokenizer(std::move(definition));
}

Tokenizer Tokenizer::parse(std::string_view tokenizer_json, const std::string& name,
                           std::string_view tokenizer_config_json) {
  TokenizerDefinition definition = parse_tokenizer(tokenizer_json, name);
  if (!tokenizer_config_json.empty()) {
    const std::string config = name + " (tokenizer_config.json)";
    apply_tokenizer_config(definition, parse_json(tokenizer_config_json, config), config);
  }
  return Tokenizer(std::move(definition));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 4);
  const std::vector<int32_t>& prefix = definition_->prefix;
  if (options.add_special) ids = prefix;
  std::unique_ptr<Encoder> encoder = pool_->take();
  encoder->encode(text, options.parse_special, ids);
  pool_->put_back(std::move(encoder));
  if (!options.add_special) return ids;
  const size_t n = prefix.size();
  if (n > 0 && ids.size() >= 2 * n &&
      std::equal(prefix.begin(), prefix.end(), ids.begin() + static_cast<long>(n)))
    ids.erase(ids.begin(), ids.begin() + static_cast<long>(n));
  ids.insert(ids.end(), definition_->suffix.begin(), definition_->suffix.end());
  return ids;
}

std::vector<int32_t> Tokenizer::encode(std::span<const TextRun> runs) const {
  std::vector<int32_t> ids;
  std::unique_ptr<Encoder> encoder = pool_->take();
  encoder->encode(runs, ids);
  pool_->put_back(std::move(encoder));
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  for (const int32_t id : ids)
    if (!skip_special || !is_special(id)) text += piece(id);
  return text;
}

std::string_view Tokenizer::piece(int32_t id) const {
  if (id < 0 || id >= size()) return {};
  return definition_->pieces[id];
}

bool Tokenizer::is_special(int32_t id) const {
  return id >= 0 && id < size() && definition_->special[id];
}

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  if (const AddedToken* added = definition_->added.find(token)) return added->id;
  const auto it = definition_->vocabulary.find(token);
  return it == definition_->vocabulary.end() ? std::nullopt : std::optional(it->second);
}

int32_t Tokenizer::size() const {
  return static_cast<int32_t>(definition_->pieces.size());
}
std::optional<int32_t> Tokenizer::bos_id() const {
  return definition_->bos;
}
std::optional<int32_t> Tokenizer::eos_id() const {
  return definition_->eos;
}

}  // namespace fathom
