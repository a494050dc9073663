#include "comm/agreement.h"

#include <algorithm>
#include <cstring>
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

namespace {

constexpr size_t piece_numbers = size_t{1} << 18;  // 1 MiB of characters, four to a number

// As many numbers as a piece of so many characters takes.
Tensor piece_of(std::vector<int32_t>& numbers, size_t characters) {
  numbers.resize((characters + 3) / 4);
  return view(numbers);
}

}  // namespace

void pass_texts(Communicator& all, std::string_view mine,
                const std::function<void(int rank, std::string_view piece)>& use) {
  Communicator& ranks = all.host();
  std::vector<int32_t> numbers;
  const auto each_piece = [&](size_t length, const auto& pass) {
    for (size_t at = 0; at < length; at += 4 * piece_numbers)
      pass(at, std::min(length - at, 4 * piece_numbers));
  };
  auto length = static_cast<int64_t>(mine.size());
  if (ranks.rank() > 0) {
    ranks.run(Send{.x = Tensor(&length, DType::i64, {1}), .to = 0});
    each_piece(mine.size(), [&](size_t at, size_t n) {
      const Tensor piece = piece_of(numbers, n);
      std::memcpy(numbers.data(), mine.data() + at, n);
      ranks.run(Send{.x = piece, .to = 0});
    });
    return;
  }
  use(0, mine);
  for (int r = 1; r < ranks.size(); ++r) {
    ranks.run(Receive{.x = Tensor(&length, DType::i64, {1}), .from = r});
    each_piece(static_cast<size_t>(length), [&](size_t, size_t n) {
      ranks.run(Receive{.x = piece_of(numbers, n), .from = r});
      use(r, std::string_view(reinterpret_cast<const char*>(numbers.data()), n));
    });
  }
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
