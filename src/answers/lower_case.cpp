#include "answers/lower_case.h"

#include <algorithm>
#include <iterator>

#include "text/utf8.h"

namespace fathom {
namespace {

// Capitals from `first` to `last`, every `step`-th one, and how far the small ones are.
struct Capitals {
  uint32_t first, last;
  int step, distance;
};

// In order. After the Unicode Character Database, whose single mappings these are.
constexpr Capitals table[] = {
    {0x41, 0x5a, 1, 32},     {0xc0, 0xd6, 1, 32},     {0xd8, 0xde, 1, 32},        {0x100, 0x12e, 2, 1},
    {0x132, 0x136, 2, 1},    {0x139, 0x147, 2, 1},    {0x14a, 0x176, 2, 1},       {0x178, 0x178, 1, -121},
    {0x179, 0x17d, 2, 1},    {0x1a0, 0x1a4, 2, 1},    {0x1af, 0x1af, 1, 1},       {0x1cd, 0x1db, 2, 1},
    {0x1de, 0x1ee, 2, 1},    {0x1f8, 0x21e, 2, 1},    {0x222, 0x232, 2, 1},       {0x386, 0x386, 1, 38},
    {0x388, 0x38a, 1, 37},   {0x38c, 0x38c, 1, 64},   {0x38e, 0x38f, 1, 63},      {0x391, 0x3a1, 1, 32},
    {0x3a3, 0x3ab, 1, 32},   {0x400, 0x40f, 1, 80},   {0x410, 0x42f, 1, 32},      {0x460, 0x480, 2, 1},
    {0x48a, 0x4be, 2, 1},    {0x4c0, 0x4c0, 1, 15},   {0x4c1, 0x4cd, 2, 1},       {0x4d0, 0x52e, 2, 1},
    {0x531, 0x556, 1, 48},   {0x1e00, 0x1e94, 2, 1},  {0x1e9e, 0x1e9e, 1, -7615}, {0x1ea0, 0x1efe, 2, 1},
    {0x2160, 0x216f, 1, 16}, {0xff21, 0xff3a, 1, 32},
};

uint32_t small_letter(uint32_t letter) {
  const auto* at = std::lower_bound(std::begin(table), std::end(table), letter,
                                    [](const Capitals& c, uint32_t value) { return c.last < value; });
  if (at == std::end(table) || letter < at->first || (letter - at->first) % static_cast<uint32_t>(at->step))
    return letter;
  return letter + static_cast<uint32_t>(at->distance);
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    const CodePoint letter = decode_utf8(at, end);
    if (letter.length == 0)
      out += *at++;
    else
      append_utf8(out, small_letter(letter.value)), at += letter.length;
  }
  return out;
}

}  // namespace fathom
