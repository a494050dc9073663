// A run's tokenizer and its data: what is used must be what was meant. Wherever two of them meet they are
// compared by content, and an Error names both, each with its identity and its file.
#pragma once
#include <string>

#include "train/recipe.h"
#include "train/token_shard.h"
#include "train/training_checkpoint.h"

namespace fathom {

// Compares the tokenizer that made the shards with data.tokenizer, with the tokenizer.json beside each shard
// of either split and with model.init_from's. Shards of an earlier release do not name theirs: the file
// beside them stands for it, which is said. Returns the identity; empty when nothing tells it.
std::string checked_tokenizer(const Recipe& recipe, const TokenShards& shards, const TokenShards* validation);

// Validation measures nothing on another tokenizer's ids.
void check_same_tokenizer(const TokenShards& training, const TokenShards& validation);

// The folder whose tokenizer files go into checkpoints and the model; empty with data.no_tokenizer. Error
// when there is no tokenizer.json.
std::string tokenizer_folder(const Recipe& recipe, const TokenShards& shards);

// A checkpoint continues with the data and the tokenizer it was made with. `now` has this run's, whose first
// file is `data`.
void check_same_run(const std::string& checkpoint, const RunState& then, const RunState& now,
                    const std::string& data);

}  // namespace fathom
