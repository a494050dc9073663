// The texts of evaluation files, which training must not see: every string of .json and .jsonl files, and any
// other file as one text (.csv, .txt; each also as .zst or .gz).
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// Calls take(text, place) for each; the place is "gsm8k.jsonl:3" or a file. Folders stand for all files below
// them that are not hidden, in the order of their paths. Error when there is none.
void read_evaluation_texts(const std::vector<std::string>& inputs,
                           const std::function<void(std::string_view text, const std::string& place)>& take);

}  // namespace fathom
