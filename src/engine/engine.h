// Engine: many sequences through one model, with continuous batching: each step is a batch of all that can
// run. The command line, the server, evaluation and rollouts all generate with this one; a single prompt is
// the simple case.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/block_manager.h"
#include "engine/runner.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/text_stream.h"

namespace fathom {

struct EngineOptions {
  int64_t cache_tokens = 0;  // tokens the latent cache holds, of all sequences; 0: one full context
  int64_t page_size = 64;
  int64_t max_sequences = 16;  // worked on at a time; more wait
  int64_t token_budget = 512;  // tokens in one step: longer prompts are run in chunks of this
  int64_t max_expanded_keys = 8192;
  bool share_prefixes = true;
  std::optional<bool> absorbed;  // forces one form of attention, for tests
  // Whether decoding batches are filled up to the size of a step that can be replayed; by default on a GPU.
  std::optional<bool> padded = {};
  // Whether Output::experts is given, for every sequence: it takes 2 bytes of the host's memory for each
  // expert of each token that the cache holds, and a copy of them in each step.
  bool record_experts = false;
  // Whether requests may ask for the log-probabilities of given tokens (Request::scoring), which takes memory
  // for the logits of some rows.
  bool score = false;

  // For so many sequences at a time, each of up to `length` tokens in pages of its own.
  static EngineOptions for_sequences(int64_t sequences, int64_t length);
};

// What one step gave one sequence: a token, and the text that can be shown now. Text lags behind the tokens
// while a character is unfinished or a stop string may be beginning; it is complete when the sequence
// finishes.
struct Output {
  int64_t id = 0;
  int32_t token = -1;   // none when the sequence ends with an error, or was scored
  double log_prob = 0;  // of the token, where the request asks for it
  std::string text = {};
  FinishReason finish = FinishReason::none;
  std::string error = {};  // what went wrong, for FinishReason::error
  // At the end, with record_experts: those of all tokens but the last one, which the model has not seen.
  ChosenExperts experts = {};
  // At the end of a sequence that is scored: of the prompt's tokens from Scoring::first on, then of each of
  // Scoring::next; over vocabulary(), at temperature 1.
  std::vector<double> scores = {};
};

class Engine {
 public:
  // Device, model and tokenizer must outlive this object. Without a tokenizer there is no text and no stop
  // strings.
  Engine(Device& device, const Model& model, const Tokenizer* tokenizer, const EngineOptions& options = {});

  // Queues a request and returns its id. A request that cannot work is an Error, and the queue is as it was.
  int64_t submit(Request request);
  // Drops a sequence; it gives no more output. Unknown and finished ids are ignored.
  void abort(int64_t id);
  bool busy() const { return !sequences_.empty(); }
  // Runs one batch. Sequences whose prompt is still being read give no output. A sequence for which the
  // model's output is not finite ends with an error of its own; the others continue.
  std::vector<Output> step();

  // Most tokens, prompt and generated, one sequence can have.
  int64_t longest() const;
  // Sequences worked on at a time.
  int64_t max_sequences() const { return scheduler_.max_sequences(); }
  // The ids below this are those that both the model and the tokenizer know: what is sampled from, and what
  // log-probabilities are taken over.
  int64_t vocabulary() const { return runner_.vocabulary(); }
  // To be called when the model's weights have changed, in the memory where they were: what this engine gives
  // from then on is what a new one would give. Of what it derives from weights only the latent cache outlives
  // a step, so its pages are shared no more; absorbed attention reads kv_b_proj itself, and recorded steps of
  // a GPU read the weights where they lie. Weights that are on their way from other ranks are waited for.
  // Error when a sequence is under way.
  void weights_changed();
  // What was computed before is shared no more with what comes, so that the numbers of what comes do not depend
  // on it, not even in their last bits.
  void forget_prefixes() { blocks_.clear_prefix_cache(); }

  // Tokens that went through the model so far, those of prompts included: shared ones count once.
  int64_t tokens_run() const { return tokens_run_; }

  Runner& runner() { return runner_; }
  const BlockManager& blocks() const { return blocks_; }

  // What it takes of the device's memory, all at the start.
  static int64_t bytes(const Model& model, const EngineOptions& options);

 private:
  struct Entry {
    Sequence sequence;
    std::optional<TextStream> text;
  };

  void check_request(const Request& request) const;
  void check_scoring(const Request& request) const;
  Output extend(Entry& entry, const PieceResult& result);
  Output end_scored(Sequence& sequence);
  static Output end_with_error(Entry& entry, const std::string& error);

  const Model& model_;
  const Tokenizer* tokenizer_;
  BlockManager blocks_;
  Scheduler scheduler_;
  bool scores_;
  Runner runner_;
  std::map<int64_t, Entry> sequences_;
  int64_t last_id_ = 0, tokens_run_ = 0;
};

}  // namespace fathom
