// A small model with a tokenizer of bytes that tasks can be asked of.
#pragma once
#include <string>

#include "io/file.h"
#include "model/model_folder.h"
#include "support/byte_tokenizer.h"
#include "support/small_model.h"

namespace fathom::testing {

inline void write_evaluated_model(const std::string& folder, uint64_t seed = 1) {
  Config c = v2_like();
  c.vocab_size = 257, c.max_position_embeddings = 3000;
  save_model(Device::cpu(1), folder, random_model(c, DType::f32, seed));
  write_file(folder + "/tokenizer.json", byte_tokenizer_json().dump());
  write_file(folder + "/tokenizer_config.json",
             R"({"add_bos_token": true, "bos_token": "<end>", "tokenizer_class": "LlamaTokenizerFast"})");
}

}  // namespace fathom::testing
