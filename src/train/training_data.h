// What a run learns from and is measured with, opened and compared: its windows, its vocabulary and tokenizer,
// and what tells it from any other data.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "train/recipe.h"
#include "train/token_shard.h"
#include "train/window_order.h"
#include "train/windows.h"

namespace fathom {

struct TrainingData {
  std::unique_ptr<const Windows> training;
  std::vector<WindowSource> sources;  // those that are mixed by data.weights; without weights one of all
  int64_t stride = 1;                 // from a window's place to that of the next one of its source

  std::unique_ptr<const Windows> validation;  // absent: `training` has these too
  std::vector<int64_t> validation_places;
  bool own_validation = false;  // there is data for validation alone

  TokenVocabulary vocabulary;
  std::string tokenizer;         // its identity; empty: nothing tells it
  std::string tokenizer_folder;  // whose files go into checkpoints; empty: there is no tokenizer
  std::string chat_template;     // a Jinja file that goes with them; empty: that of the folder
  std::string where;             // for errors: the first file
  int64_t tokens = 0;            // of the training data, and ...
  std::string identity;          // ... what tells it from any other
  std::string validation_identity;

  int64_t windows() const;  // of the sources
};

// The token shards that the recipe names. Hashes are computed by so many threads.
TrainingData open_token_shards(const Recipe& recipe, int threads);

}  // namespace fathom
