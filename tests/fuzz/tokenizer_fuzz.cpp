// The bytes up to the first zero byte as a tokenizer.json, the rest as text for it: refused with an Error, or
// the text is encoded, decoded and streamed. A vocabulary with all bytes gives the text back.
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "io/json.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace {

void round_trip(const fathom::Tokenizer& tokenizer, std::string_view text, bool exact) {
  for (const bool parse_special : {true, false}) {
    const auto ids = tokenizer.encode(text, {.add_special = !parse_special, .parse_special = parse_special});
    for (const int32_t id : ids)
      if (id < 0 || id >= tokenizer.size()) std::abort();
    const std::string decoded = tokenizer.decode(ids);
    if (exact && decoded != text) std::abort();
    fathom::StreamDecoder stream(tokenizer, false);
    for (const int32_t id : ids) stream.push(id);
    stream.flush();
  }
}

// 256 byte tokens, a few merges, DeepSeek-V3's and simple patterns side by side.
const fathom::Tokenizer& whole() {
  static const fathom::Tokenizer tokenizer = [] {
    std::string vocab;
    for (int b = 0; b < 256; ++b)
      vocab += fathom::json_quoted(fathom::spell_bytes(std::string(1, static_cast<char>(b)))) + ":" +
               std::to_string(b) + ",";
    const std::string head = R"json({"pre_tokenizer":{"type":"Sequence","pretokenizers":[
        {"type":"Split","pattern":{"Regex":"[\r\n]"},"behavior":"Isolated"},
        {"type":"Split","pattern":{"Regex":"\\s?[A-z\\p{L}]+"},"behavior":"Isolated"},
        {"type":"Split","pattern":{"Regex":"\\s+$"},"behavior":"Isolated"},
        {"type":"Split","pattern":{"Regex":" ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)"},"behavior":"Isolated"},
        {"type":"Digits","individual_digits":true},
        {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]},
      "added_tokens":[{"id":300,"content":"<x>","special":true},{"id":301,"content":"ab<"}],
      "model":{"type":"BPE","vocab":{)json";
    const std::string tail = R"json("aa":256,"aaaa":257,"Ġa":258,"ab":259,"äº":260},
      "merges":["a a","aa aa","Ġ a","a b","ä º"]}})json";
    return fathom::Tokenizer::parse(head + vocab + tail, "fuzz");
  }();
  return tokenizer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  round_trip(whole(), input, true);
  const size_t zero = input.find('\0');
  try {
    const auto tokenizer = fathom::Tokenizer::parse(input.substr(0, zero), "fuzz");
    round_trip(tokenizer, zero == std::string_view::npos ? "Hello  world 12\n" : input.substr(zero + 1),
               false);
  } catch (const fathom::Error&) {
  }
  return 0;
}
