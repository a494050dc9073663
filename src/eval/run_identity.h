// What makes two runs of a task the same: weights, tokenizer, template, task, data, examples, seed, settings.
// A run is continued by the same one alone.
#pragma once
#include <string>

#include "eval/items.h"

namespace fathom {

// Of a folder's config.json and safetensors files, by content.
std::string weight_files_hash(const std::string& folder);

// Parts by their names; the hash is over all of them.
OrderedJson task_identity(const Task& task, const TaskItems& data);
std::string identity_hash(const OrderedJson& parts);

// Writes the identity to a new file, with `about` beside it, which may differ and is not in the hash; or
// compares it with the one that is there: Error that names the first part that differs.
void check_identity(const std::string& path, const OrderedJson& parts,
                    const OrderedJson& about = OrderedJson::object());

}  // namespace fathom
