// A tokenizer of single bytes, and running requests through an engine to their end.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "io/json.h"
#include "text/byte_alphabet.h"

namespace fathom::testing {

// Ids 0..255 are bytes; 256 is the special token <end>.
inline Tokenizer byte_tokenizer() {
  Json vocab = Json::object();
  for (int b = 0; b < 256; ++b) vocab[spell_bytes(std::string(1, static_cast<char>(b)))] = b;
  const Json end = {{"id", 256},       {"content", "<end>"},  {"single_word", false}, {"lstrip", false},
                    {"rstrip", false}, {"normalized", false}, {"special", true}};
  const Json json = {
      {"added_tokens", Json::array({end})},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array()}}}};
  return Tokenizer::parse(json.dump(), "bytes");
}

struct Answer {
  std::vector<int32_t> tokens;
  std::string text;
  FinishReason finish = FinishReason::none;
};

// Steps until nothing is left; answers by id.
inline std::map<int64_t, Answer> run_all(Engine& engine) {
  std::map<int64_t, Answer> answers;
  while (engine.busy())
    for (const Output& o : engine.step()) {
      Answer& a = answers[o.id];
      EXPECT_EQ(a.finish, FinishReason::none) << "output after the end";
      a.tokens.push_back(o.token);
      a.text += o.text;
      a.finish = o.finish;
    }
  return answers;
}

inline Answer run_one(Engine& engine, const Request& request) {
  const int64_t id = engine.submit(request);
  return run_all(engine)[id];
}

}  // namespace fathom::testing
