// fathom generate MODEL: continues a prompt, streaming to standard output; statistics go to standard error.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/generate_report.h"
#include "cli/model_argument.h"
#include "cli/model_flags.h"
#include "cli/profile_report.h"
#include "cli/run_request.h"
#include "cli/sampling_flags.h"
#include "cli/standard_streams.h"
#include "cli/trace.h"
#include "engine/engine.h"
#include "engine/generation_config.h"
#include "engine/prompt_chunk.h"
#include "io/file.h"
#include "text/tokenizer_identity.h"
#include "text/utf8.h"

namespace fathom {
namespace {

struct Options : ModelFlags {
  std::string standard_input;
  std::optional<std::string> prompt, prompt_file;
  std::optional<std::vector<int32_t>> prompt_ids;
  SamplingFlags sampling;
  std::vector<std::string> stop;
  int64_t max_tokens = 256, page_size = 64;
  std::optional<int64_t> prompt_chunk;
  std::string trace;
  bool ignore_eos = false, no_bos = false, no_tokenizer = false, quiet = false, json = false;
};

std::string prompt_text(const Options& o) {
  if (o.prompt) return *o.prompt;
  const bool standard_input = !o.standard_input.empty() || o.prompt_file == "-";
  const std::string name = standard_input ? "standard input" : *o.prompt_file;
  std::string text = standard_input ? read_input() : read_file(*o.prompt_file);
  const size_t valid = valid_utf8_prefix(text);
  check(valid == text.size(), "{}: not valid UTF-8 at byte {}", name, valid);
  return text;
}

void check_sources(const Options& o) {
  check(o.standard_input.empty() || o.standard_input == "-",
        "'{}': a prompt is given with -p, --prompt-file, --prompt-ids, or - for standard input",
        o.standard_input);
  const int sources =
      o.prompt.has_value() + o.prompt_file.has_value() + o.prompt_ids.has_value() + !o.standard_input.empty();
  check(sources == 1,
        "give one prompt: -p TEXT, --prompt-file FILE, --prompt-ids IDS, or - for standard input");
}

std::vector<int32_t> prompt_tokens(const Options& o, const std::optional<Tokenizer>& tokenizer) {
  if (o.no_bos && (o.prompt_ids || !tokenizer))
    log::warn("token ids are taken as they are: --no-bos has no effect");
  if (o.prompt_ids) return *o.prompt_ids;
  const std::string text = prompt_text(o);
  if (!tokenizer) return parse_token_ids("the prompt", text);
  check(valid_utf8_prefix(text) == text.size(), "the prompt is not valid UTF-8");
  std::vector<int32_t> ids = tokenizer->encode(text, {.add_special = !o.no_bos});
  check(!ids.empty(), "the prompt is empty, and this model's tokenizer adds no token of its own");
  return ids;
}

std::optional<Tokenizer> tokenizer_of(const Options& o) {
  if (o.prompt_ids || o.no_tokenizer) return {};
  const std::string folder = text_folder(o);
  check(tokenizer_file(folder).has_value(),
        "{}: the model has no tokenizer.json; with --no-tokenizer prompt and answer are token ids", folder);
  return Tokenizer::load(folder);
}

Request make_request(const Options& o, const Config& config, const std::optional<Tokenizer>& tokenizer) {
  const GenerationConfig defaults = read_generation_config(o.model, config);
  Request r{
      prompt_tokens(o, tokenizer), sampling_of(o.sampling, defaults.sampling), {o.max_tokens, {}, o.stop}};
  if (!o.ignore_eos) r.stop.eos_token_ids = defaults.eos_token_ids;
  return r;
}

// Before the model is loaded, which may take minutes.
void check_length(size_t prompt, const Config& config) {
  check(static_cast<int64_t>(prompt) < config.max_position_embeddings,
        "the prompt has {} tokens; the longest context, prompt and answer, is {}", prompt,
        config.max_position_embeddings);
}

void print_plainly(const Options& o, const Generation& result, const Request& request, const Model& model,
                   bool as_ids) {
  if (as_ids)
    for (const int32_t id : result.ids) print_output("{} ", id);
  write_output("\n", true);
  if (!o.quiet && result.error.empty()) print_statistics(result, request, model);
}

void generate(const Options& o) {
  check_sources(o);
  check_model_folder(o.model);
  const auto start = std::chrono::steady_clock::now();
  const Config config = read_config(o.model);
  const std::optional<Tokenizer> tokenizer = tokenizer_of(o);
  const Request request = make_request(o, config, tokenizer);
  check_sampling(request.sampling);
  check_length(request.prompt.size(), config);
  Device device = Device::named(o.device, o.threads);
  const Model model = load_model(o, device);

  const auto prompt = static_cast<int64_t>(request.prompt.size());
  const int64_t wanted = prompt + std::min(o.max_tokens, int64_t{1} << 32);
  EngineOptions options{.cache_tokens = std::min(wanted, config.max_position_embeddings),
                        .page_size = o.page_size,
                        .max_sequences = 1,
                        .share_prefixes = false,
                        .absorbed = {}};
  options.token_budget =
      std::min(o.prompt_chunk.value_or(prompt_chunk(device, model, options, prompt)), prompt);
  Engine engine(device, model, tokenizer ? &*tokenizer : nullptr, options);
  const std::chrono::duration<double> load = std::chrono::steady_clock::now() - start;
  catch_interrupts();
  const bool stream = tokenizer && !o.json;
  std::optional<Profile> profile;
  Generation result = run_request(
      engine, request,
      [&](const std::string& text) {
        if (stream) write_output(text, true);
      },
      [&] {
        if (!o.trace.empty()) profile.emplace(device);
      });
  result.load = load.count();

  if (o.json)
    print_json(result, request, model);
  else
    print_plainly(o, result, request, model, !tokenizer);
  check(result.error.empty(), "{}", result.error);
  if (!profile) return;
  print_profile(device, model.dtype, *profile, "decoding");
  Communicator alone = Communicator::alone(device);
  write_trace(o.trace, "decoding", *profile, alone);
}

void add_prompt_options(CLI::App& command, Options& o) {
  add_model_flags(command, o);
  command.add_option("input", o.standard_input, "- to read the prompt from standard input");
  command.add_option("-p,--prompt", o.prompt, "the prompt");
  command.add_option("--prompt-file", o.prompt_file,
                     "a file with the prompt, taken byte by byte; - for standard input");
  command
      .add_option_function<std::string>(
          "--prompt-ids",
          [&o](const std::string& text) { o.prompt_ids = parse_token_ids("--prompt-ids", text); },
          "the prompt as token ids, 1,2,3; prints ids, needs no tokenizer")
      ->type_name("IDS");
  command.add_flag("--no-tokenizer", o.no_tokenizer,
                   "the prompt is token ids, from whatever source; prints ids, needs no tokenizer");
  command.add_flag("--no-bos", o.no_bos, "add no BOS to the prompt where the tokenizer would");
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  Options& o = *options;
  CLI::App* command = app.add_subcommand("generate", "Continue a prompt");
  add_prompt_options(*command, o);
  add_number(*command, "-n,--max-tokens", o.max_tokens, "generate at most this many tokens",
             Allowed<int64_t>{.low = 1});
  add_sampling_flags(*command, o.sampling);
  command->add_option("--stop", o.stop, "text that ends the answer, not printed; may be given several times")
      ->allow_extra_args(false);
  command->add_flag("--ignore-eos", o.ignore_eos, "continue past end-of-sequence tokens");
  command->add_option(
      "--profile", o.trace,
      "print where the time goes while decoding, and write its trace, for Perfetto, to this file");
  add_number(*command, "--page-size", o.page_size, "tokens in a page of the cache",
             Allowed<int64_t>{1, int64_t{1} << 20});
  add_number(*command, "--prompt-chunk", o.prompt_chunk,
             "tokens of the prompt in a step: more are faster and take more memory; by default 2048, on a "
             "GPU up to 8192",
             Allowed<int64_t>{1, int64_t{1} << 20});
  command->add_flag("--quiet", o.quiet, "print no statistics");
  command->add_flag("--json", o.json, "print one JSON object with text, ids and timings");
  command->callback([options] { generate(*options); });
}

}  // namespace fathom
