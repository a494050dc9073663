#include "engine/verify_greedy.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/generate_all.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

// What the golden file says of the continuation, and what the own run says where the file is silent.
class GreedyReference {
 public:
  GreedyReference(const Config& config, const SafetensorsFile& golden, OwnReference& own)
      : prompt(golden.read_ints("greedy_prompt")),
        expected(golden.read_ints("greedy")),
        config_(config),
        golden_(golden),
        own_(own) {
    check(!prompt.empty() && !expected.empty(), "{}: 'greedy_prompt' or 'greedy' is empty", golden.path());
    check(length() <= config.max_position_embeddings,
          "{}: 'greedy_prompt' and 'greedy' are {} tokens, max_position_embeddings is {}", golden.path(),
          length(), config.max_position_embeddings);
  }

  const std::vector<int32_t> prompt, expected;

  int64_t length() const { return static_cast<int64_t>(prompt.size() + expected.size()); }
  std::vector<int32_t> prefix(size_t generated) const {
    std::vector<int32_t> tokens = prompt;
    tokens.insert(tokens.end(), expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(generated));
    return tokens;
  }

  RoutingTable experts() {
    if (auto table = read_routing(golden_, config_, "greedy_experts", length() - 1)) return *std::move(table);
    return own_run().experts;
  }

  // Of the worse of two candidates for generated token `at`, ours and the reference's.
  double distance(size_t at, int32_t token) {
    const ConstTensor all = logits();
    const auto row = static_cast<int64_t>(at);
    return std::max(distance_from_best(all, row, token), distance_from_best(all, row, expected[at]));
  }

 private:
  ConstTensor logits() {
    const ConstTensor given = golden_.find("greedy_logits");
    if (!given) return own_run().logits;
    Dim G{"G", static_cast<int64_t>(expected.size())}, V{"V", config_.vocab_size};
    fathom::expect((golden_.path() + ": greedy_logits").c_str(), given, {G, V});
    return given;
  }
  const OwnReference::Tokens& own_run() {
    if (!run_) run_ = own_.tokens(prefix(expected.size() - 1), static_cast<int64_t>(prompt.size()) - 1);
    return *run_;
  }

  const Config& config_;
  const SafetensorsFile& golden_;
  OwnReference& own_;
  std::optional<OwnReference::Tokens> run_;
};

std::vector<int32_t> generate(Engine& engine, const std::vector<int32_t>& prompt, size_t tokens) {
  const Request request{
      .prompt = prompt,
      .sampling = {},
      .stop = {.max_tokens = static_cast<int64_t>(tokens), .eos_token_ids = {}, .strings = {}}};
  const Completion completion = generate_all(engine, {request}).front();
  check(completion.finish != FinishReason::error, "{}", completion.error);
  return completion.tokens;
}

}  // namespace

double distance_from_best(const ConstTensor& logits, int64_t row, int32_t token) {
  double best = -INFINITY, squares = 0;
  for (int64_t v = 0; v < logits.cols(); ++v) {
    const double logit = element(logits, row, v);
    best = std::max(best, logit), squares += logit * logit;
  }
  return (best - element(logits, row, token)) / std::sqrt(squares / static_cast<double>(logits.cols()));
}

std::optional<Verdict> verify_greedy(Device& device, const Model& model, const SafetensorsFile& golden,
                                     OwnReference& own) {
  if (!golden.entry("greedy")) return {};
  check(golden.entry("greedy_prompt") != nullptr, "{}: has 'greedy' but no 'greedy_prompt'", golden.path());
  const Config& c = model.config;
  GreedyReference reference(c, golden, own);
  EngineOptions options;
  options.cache_tokens = reference.length() + 2 * options.page_size;
  Engine engine(device, model, nullptr, options);
  const int64_t read = reference.length() - 1;
  Arena memory("the reference's experts", replay_bytes(c, read, 0), device);
  ExpertReplay replay;
  if (model.dtype == DType::bf16 && c.n_moe_layers() > 0) {
    replay = allocate_replay(device, c, memory, {.given = reference.experts(), .rows = {}});
    engine.runner().replay(&replay);
  }

  double worst = 0;
  const std::vector<int32_t>& expected = reference.expected;
  for (size_t at = 0; at < expected.size(); ++at) {
    const std::vector<int32_t> got = generate(engine, reference.prefix(at), expected.size() - at);
    size_t same = 0;
    while (same < got.size() && got[same] == expected[at + same]) ++same;
    at += same;
    if (at < expected.size()) worst = std::max(worst, reference.distance(at, got.at(same)));
  }
  return Verdict{"greedy", worst, greedy_tolerance(model.dtype, c.num_hidden_layers)};
}

}  // namespace fathom
