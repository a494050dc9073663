// What a judge may answer: read, or a failure with its reason; values are in their ranges.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/chat_reply.h"
#include "http/reply_parts.h"
#include "judge/verdict.h"

namespace {

template <class T>
void expect_one_of_both(const fathom::JudgeVerdict<T>& verdict) {
  if (verdict.value.has_value() != verdict.failure.empty()) std::abort();
}

void judge(const fathom::ChatReply& reply) {
  const auto rating = fathom::read_rating(*reply.text);
  expect_one_of_both(rating);
  if (rating.value && !(*rating.value >= 1 && *rating.value <= 10)) std::abort();
  expect_one_of_both(fathom::read_winner(*reply.text));
  const auto preferred = fathom::read_preferred(reply);
  expect_one_of_both(preferred);
  if (preferred.value && !(preferred.value->first >= 0 && preferred.value->first <= 1)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  fathom::ChatReply words;
  words.text = text;
  judge(words);
  const fathom::ChatReply reply = fathom::parse_chat_reply(text);
  if (reply.text.has_value() != reply.error.empty() || reply.error.find('\n') != std::string::npos)
    std::abort();
  if (reply.text) judge(reply);
  fathom::explained_in(text);
  return 0;
}
