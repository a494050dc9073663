// Data sets that are published in parts: NAME-00000-of-00002.parquet, NAME-00001-of-00002.parquet.
#pragma once
#include <span>
#include <string>

namespace fathom {

// Whether these files, sorted, are the parts of one. Error when some of its parts are not among them.
bool are_shards(std::span<const std::string> paths);

}  // namespace fathom
