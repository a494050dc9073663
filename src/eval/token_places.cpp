#include "eval/token_places.h"

#include <algorithm>
#include <tuple>

#include "text/utf8.h"

namespace fathom {
namespace {

constexpr size_t most_partial = 3;   // bytes of a character without its first or its last
constexpr size_t most_places = 512;  // where a token may end; more are no spelling any more

bool is_high(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "bytes: \xe4\xbd" as those bytes. Nothing for what is not of that form.
std::optional<std::string> spelled_bytes(std::string_view token) {
  constexpr std::string_view prefix = "bytes:";
  if (!token.starts_with(prefix)) return {};
  token.remove_prefix(prefix.size());
  std::string bytes;
  for (; !token.empty(); token.remove_prefix(4)) {
    if (token.size() < 4 || !token.starts_with("\\x")) return {};
    const int high = hex_digit(token[2]), low = hex_digit(token[3]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string with_blanks(std::string_view token) {
  constexpr std::string_view mark = "\xe2\x96\x81";
  std::string out;
  for (size_t at = 0; at < token.size();) {
    const bool marked = token.substr(at).starts_with(mark);
    out += marked ? ' ' : token[at];
    at += marked ? mark.size() : 1;
  }
  return out;
}

// A place that tokens may reach, and how much of the text none of them spells: of several ways there the
// cheapest is taken.
struct Way {
  size_t end = 0;
  size_t cost = 0;
  size_t begin = 0;  // of the last token
};

// Of each end the cheapest, and of those the one whose last token is shortest.
void keep_cheapest(std::vector<Way>& ways) {
  std::sort(ways.begin(), ways.end(), [](const Way& a, const Way& b) {
    return std::tuple(a.end, a.cost, b.begin) < std::tuple(b.end, b.cost, a.begin);
  });
  ways.erase(std::unique(ways.begin(), ways.end(), [](const Way& a, const Way& b) { return a.end == b.end; }),
             ways.end());
}

// The ways one token can be written.
class Spelling {
 public:
  Spelling(std::string_view token, std::string_view sent) : sent_(sent), forms_{std::string(token)} {
    if (auto bytes = spelled_bytes(token)) forms_.push_back(std::move(*bytes));
    if (std::string blanks = with_blanks(token); blanks != token) forms_.push_back(std::move(blanks));
  }

  // Where the token may end when it begins there.
  void add_ends(const Way& last, std::vector<Way>& ends) const {
    const size_t at = last.end;
    const auto add = [&](std::string_view form, size_t from, size_t cost) {
      for (const Way& way : ends_of(form, from)) ends.push_back({way.end, last.cost + cost + way.cost, at});
    };
    for (const std::string& form : forms_) {
      add(form, at, 0);
      if (at < sent_.size() && sent_[at] == ' ') add(form, at + 1, 1);
      // SentencePiece puts a blank before the whole text.
      if (at == 0 && form.starts_with(' ')) add(std::string_view(form).substr(1), 0, 0);
    }
  }

 private:
  // The places that may be reached when a few bytes of a character are left away, each at `cost`.
  void add_partial(const Way& from, size_t cost, std::vector<Way>& places) const {
    size_t at = from.end;
    for (size_t n = 1; n <= most_partial && at < sent_.size() && is_high(sent_[at]); ++n)
      places.push_back({++at, from.cost + n * cost});
  }

  // A token that is spelled as nothing may be anything of a character; that it is nothing is less likely.
  std::vector<Way> ends_of(std::string_view form, size_t from) const {
    const bool nothing = form.empty();
    std::vector<Way> places = {{from, 0}}, next;
    add_partial({from, 0}, nothing ? 0 : 1, places);
    while (!form.empty() && !places.empty() && places.size() <= most_places) {
      next.clear();
      const size_t lossy = form.find(replacement_character);
      const std::string_view plain = form.substr(0, lossy);
      for (const Way& place : places) {
        if (plain.empty())
          add_partial(place, 0, next);
        else if (sent_.substr(place.end, plain.size()) == plain)
          next.push_back({place.end + plain.size(), place.cost});
      }
      form.remove_prefix(plain.empty() ? replacement_character.size() : plain.size());
      keep_cheapest(next);
      places.swap(next);
    }
    if (!form.empty()) return {};
    std::vector<Way> ends = places;
    for (const Way& place : places) add_partial(place, nothing ? 0 : 1, ends);
    if (nothing) ends[0].cost = 1;
    keep_cheapest(ends);
    return ends;
  }

  std::string_view sent_;
  std::vector<std::string> forms_;
};

}  // namespace

std::optional<std::vector<TokenPlace>> place_tokens(const std::vector<std::string_view>& tokens,
                                                    std::string_view sent) {
  std::vector<std::vector<Way>> ways;  // behind each token
  std::vector<Way> before = {{}};
  for (const std::string_view token : tokens) {
    std::vector<Way> now;
    if (ways.empty()) now.push_back({0, 1, 0});
    const Spelling spelling(token, sent);
    for (const Way& last : before) spelling.add_ends(last, now);
    keep_cheapest(now);
    if (now.empty() || now.size() > most_places) return {};
    ways.push_back(now);
    before = std::move(now);
  }
  std::vector<TokenPlace> places(tokens.size());
  size_t end = sent.size();
  for (size_t i = tokens.size(); i-- > 0;) {
    const auto at =
        std::find_if(ways[i].begin(), ways[i].end(), [end](const Way& way) { return way.end == end; });
    if (at == ways[i].end()) return {};
    places[i] = {at->begin, at->end};
    end = at->begin;
  }
  return end == 0 ? std::optional(places) : std::nullopt;
}

}  // namespace fathom
