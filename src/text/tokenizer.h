// Byte-level BPE as Hugging Face's tokenizer.json describes it: text to ids and back.
//
// Any bytes can be encoded. Malformed UTF-8 is cut out of the text and its bytes become their own piece, so
// that decode() gives them back; a malformed byte that the vocabulary has no token for (DeepSeek's lack 0xC0,
// 0xC1 and 0xF5-0xFF) is encoded as U+FFFD.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct TokenizerDefinition;  // text/tokenizer_definition.h

struct EncodeOptions {
  // Adds the tokens that the tokenizer's files ask for: for DeepSeek a BOS, unless the text already starts
  // with it.
  bool add_special = true;
  // Takes special tokens spelled out in the text as such. Turn it off for text that must not forge them.
  bool parse_special = true;
};

// A stretch of a text, and whether special tokens spelled out in it count as such.
struct TextRun {
  std::string_view text;
  bool parse_special = true;
};

// encode() may be called from several threads at once.
class Tokenizer {
 public:
  // A model folder or a tokenizer.json; tokenizer_config.json beside it is read if it exists.
  static Tokenizer load(const std::string& path);
  // The same from memory; `name` stands in errors.
  static Tokenizer parse(std::string_view tokenizer_json, const std::string& name,
                         std::string_view tokenizer_config_json = {});

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  // One text in several runs, of which some must not forge special tokens; nothing is added. Tokens and words
  // that are no special tokens go across the runs' borders as in one text.
  std::vector<int32_t> encode(std::span<const TextRun> runs) const;
  // The exact bytes. Ids without a token (models pad their vocabulary) decode to nothing.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;

  // The bytes of one token; empty if the id has none.
  std::string_view piece(int32_t id) const;
  bool is_special(int32_t id) const;
  // The id of a token given as its bytes, added tokens first.
  std::optional<int32_t> id_of(std::string_view token) const;
  // The highest id plus one. A model's vocab_size may be larger.
  int32_t size() const;
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;

 private:
  class EncoderPool;
  explicit Tokenizer(TokenizerDefinition definition);

  std::unique_ptr<const TokenizerDefinition> definition_;
  std::unique_ptr<EncoderPool> pool_;
};

// Text of a growing list of ids, for showing it while it grows: whole UTF-8 characters only. What can no
// longer become a character comes out as U+FFFD.
class StreamDecoder {
 public:
  // The tokenizer must outlive this object.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(&tokenizer), skip_special_(skip_special) {}

  // The text that the token completes; empty while a character is unfinished.
  std::string push(int32_t id);
  // The end: an unfinished character comes out as U+FFFD.
  std::string flush();

 private:
  std::string take_complete();

  const Tokenizer* tokenizer_;
  bool skip_special_;
  std::string pending_;
};

}  // namespace fathom
