// Whether a server tells the log-probabilities of a prompt's own tokens, found out before a run. Many say
// they do, and give those of what they generate, or nothing; every choice then scores alike, and looks like
// chance.
#pragma once
#include <optional>
#include <string>

#include "eval/model_server.h"
#include "text/tokenizer.h"

namespace fathom {

struct ServerProof {
  std::string problem;                   // what the server lacks; empty: nothing
  std::optional<std::string> beginning;  // the token it puts before a text, as it spells it
};

// With a tokenizer the prompts are its ids, else texts. The values must be there for every token of the
// prompt, be finite and not above 0, not all the same, not change with what stands behind them, and be those
// that the server names when it generates the same tokens.
ServerProof prove_log_probs(const ModelServer& server, const Tokenizer* tokenizer);

}  // namespace fathom
