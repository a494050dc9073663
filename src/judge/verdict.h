// What a judge's words mean. Nothing is clamped or guessed: what cannot be read is a failure with its reason.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "http/chat_reply.h"

namespace fathom {

template <class T>
struct JudgeVerdict {
  std::optional<T> value;
  std::string failure;  // why there is none
};

// MT-Bench's single grading: the first "[[7]]" or "[[7.5]]"; without any the first "[7]". From 1 to 10.
JudgeVerdict<double> read_rating(std::string_view judgement);

// Of two answers as the judge saw them.
enum class Winner { first, second, tie };
// MT-Bench's pairs: "[[A]]", "[[B]]" or "[[C]]", the tie. Different ones in one judgement are a failure.
JudgeVerdict<Winner> read_winner(std::string_view judgement);

// AlpacaEval 2.0: how likely the judge says "m", the first output, rather than "M".
struct Preferred {
  double first = 0;      // P(m) / (P(m) + P(M))
  bool weighted = true;  // false: without log-probabilities it is 1 or 0, by the word itself
};
JudgeVerdict<Preferred> read_preferred(const ChatReply& reply);

}  // namespace fathom
