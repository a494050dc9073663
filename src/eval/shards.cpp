#include "eval/shards.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace fathom {
namespace {

// Digits and nothing else; -1 for another text.
int64_t whole_number(std::string_view text) {
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

struct Shard {
  std::string around;  // the path without the number: the same for all parts
  int64_t number, count;
};

std::optional<Shard> shard_of(const std::string& path) {
  constexpr std::string_view of = "-of-";
  constexpr size_t digits = 5;
  const size_t name = path.rfind('/') + 1, at = path.rfind(of);
  if (at == std::string::npos || at < name + digits + 1 || path[at - digits - 1] != '-') return std::nullopt;
  const size_t end = path.find('.', at);
  if (end == std::string::npos) return std::nullopt;
  const std::string_view text = path;
  const int64_t number = whole_number(text.substr(at - digits, digits));
  const int64_t count = whole_number(text.substr(at + of.size(), end - at - of.size()));
  if (number < 0 || count < 0) return std::nullopt;
  return Shard{path.substr(0, at - digits) + path.substr(at), number, count};
}

}  // namespace

bool are_shards(std::span<const std::string> paths) {
  const std::optional<Shard> first = paths.empty() ? std::nullopt : shard_of(paths[0]);
  if (!first) return false;
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::optional<Shard> shard = shard_of(paths[i]);
    if (!shard || shard->around != first->around) return false;
    check(shard->number == static_cast<int64_t>(i), "{}: is part {} of {}; part {} is not beside it",
          paths[i], shard->number, shard->count, i);
  }
  check(static_cast<int64_t>(paths.size()) == first->count, "{}: of its {} parts, {} are there", paths[0],
        first->count, paths.size());
  return true;
}

}  // namespace fathom
