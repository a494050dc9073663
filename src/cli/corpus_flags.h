// What prepare and train-tokenizer take alike: text to read, and a vocabulary's size.
#pragma once
#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "cli/flags.h"
#include "data/corpus.h"

namespace fathom {

// 256 bytes and two special tokens at least.
template <class T>
inline constexpr Allowed<T> vocabulary_sizes{.low = 258, .high = 1 << 22};

void add_corpus_flags(CLI::App& command, std::vector<std::string>& inputs, CorpusOptions& options);

}  // namespace fathom
