#include "comm/agreement.h"

#include <numeric>

#include "comm/launcher.h"

namespace fathom {
namespace {

// Characters travel as whole numbers, the smallest that tensors have.
std::vector<int32_t> numbers(const std::string& text) {
  return {text.begin(), text.end()};
}

Tensor view(std::vector<int32_t>& values) {
  return {values.data(), DType::i32, {static_cast<int64_t>(values.size())}};
}

}  // namespace

std::vector<std::string> gather_texts(Communicator& ranks, const std::string& mine) {
  std::vector<int32_t> own = numbers(mine);
  std::vector<int64_t> lengths(ranks.size());
  auto length = static_cast<int64_t>(own.size());
  ranks.host().run(AllGather{.out = Tensor(lengths.data(), DType::i64, {ranks.size()}),
                             .in = Tensor(&length, DType::i64, {1})});
  std::vector<int32_t> all(std::accumulate(lengths.begin(), lengths.end(), int64_t{0}));
  ranks.host().run(AllGather{.out = view(all), .in = view(own), .rows = lengths});
  std::vector<std::string> texts;
  auto at = all.begin();
  for (const int64_t n : lengths) texts.emplace_back(at, at + n), at += n;
  return texts;
}

std::string broadcast_text(Communicator& ranks, const std::string& text) {
  std::vector<int32_t> characters = numbers(text);
  auto length = static_cast<int64_t>(characters.size());
  ranks.host().run(Broadcast{.x = Tensor(&length, DType::i64, {1})});
  characters.resize(length);
  ranks.host().run(Broadcast{.x = view(characters)});
  return {characters.begin(), characters.end()};
}

bool all_of(Communicator& ranks, bool mine) {
  int32_t missing = !mine;
  ranks.host().run(AllReduce{.x = Tensor(&missing, DType::i32, {1}), .reduction = Reduction::max});
  return missing == 0;
}

std::string first_failure(Communicator& ranks, const std::string& mine) {
  if (ranks.size() == 1) return mine;
  if (all_of(ranks, mine.empty())) return {};
  const std::vector<std::string> failures = gather_texts(ranks, mine),
                                 hosts = gather_texts(ranks, host_name());
  for (int r = 0; r < ranks.size(); ++r)
    if (!failures[r].empty()) return fmt::format("rank {} on {}: {}", r, hosts[r], failures[r]);
  return {};
}

}  // namespace fathom
