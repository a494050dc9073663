// A small model in a folder for fathom eval, with a tokenizer of single bytes and a BOS.
#pragma once
#include <string>

#include "io/file.h"
#include "model/model_folder.h"
#include "support/byte_tokenizer.h"
#include "support/paths.h"
#include "support/small_model.h"

namespace fathom::testing {

inline const std::string eval_samples = " --data " + source_dir() + "/tests/eval/samples";

inline void save_eval_model(const std::string& folder, uint64_t seed = 1) {
  Config c = v2_like();
  c.vocab_size = 257, c.max_position_embeddings = 3000;
  save_model(Device::cpu(1), folder, random_model(c, DType::f32, seed));
  write_file(folder + "/tokenizer.json", byte_tokenizer_json().dump());
  write_file(folder + "/tokenizer_config.json",
             R"({"add_bos_token": true, "bos_token": "<end>", "tokenizer_class": "LlamaTokenizerFast"})");
}

}  // namespace fathom::testing
