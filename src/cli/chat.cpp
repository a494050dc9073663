// fathom chat MODEL: a conversation in the terminal. Answers stream to standard output; everything else that
// is said goes to standard error. The engine keeps the pages of what was said, so that a turn reads only what
// is new.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/flags.h"
#include "cli/line_reader.h"
#include "cli/model_argument.h"
#include "cli/sampling_flags.h"
#include "cli/standard_streams.h"
#include "engine/engine.h"
#include "engine/generation_config.h"
#include "engine/prompt_chunk.h"
#include "model/model_folder.h"
#include "text/chat_template.h"
#include "text/utf8.h"

namespace fathom {
namespace {

struct Options {
  std::string model, system, load;
  SamplingFlags sampling;
  std::vector<std::string> stop;
  int64_t max_tokens = 1024;
  std::optional<int64_t> context;
  std::string device = "cpu", dtype;
  int threads = 0;
};

constexpr const char* help_text =
    R"(A message ends with its line; \ at the end goes on, and """ begins one of several lines that """ ends.
Ctrl-C stops an answer, Ctrl-D ends the chat.
  /system TEXT   what the assistant is told first; without TEXT: nothing
  /clear         forget the conversation, but for that
  /undo          take the last question and its answer back
  /stats         figures of the last answer
  /save FILE     write the conversation
  /load FILE     go on with one
  /exit          end the chat
)";

using Clock = std::chrono::steady_clock;
double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

struct Figures {
  size_t prompt = 0, generated = 0;
  double prefill = 0, decode = 0;
};

class Chat {
 public:
  Chat(const Options& o, Device& device, const Model& model, const Tokenizer& tokenizer)
      : tokenizer_(tokenizer),
        template_(ChatTemplate::load(o.model)),
        engine_(device, model, &tokenizer, engine_options(o, device, model)) {
    const GenerationConfig defaults = read_generation_config(o.model, model.config);
    sampling_ = sampling_of(o.sampling, defaults.sampling);
    check_sampling(sampling_);
    stop_ = {o.max_tokens, defaults.eos_token_ids, o.stop};
    if (!o.system.empty()) conversation_.set_system(o.system);
    if (!o.load.empty()) conversation_.load(o.load);
  }

  void run() {
    const bool terminal = isatty(STDIN_FILENO) != 0;
    if (terminal) print_message("/help tells what there is; Ctrl-D ends the chat\n");
    LineReader lines;
    while (!over_) {
      catch_ctrl_c();
      if (terminal) print_message("> ");
      std::string message;
      const LineReader::Got got = lines.read_message(message, [&] {
        if (terminal) print_message(". ");
      });
      if (terminal && got != LineReader::Got::line) print_message("\n");
      if (got == LineReader::Got::end) return;
      if (got == LineReader::Got::line) take(message);
    }
  }

 private:
  static EngineOptions engine_options(const Options& o, Device& device, const Model& model) {
    EngineOptions options{.cache_tokens = o.context.value_or(model.config.max_position_embeddings),
                          .max_sequences = 1,
                          .absorbed = {}};
    options.token_budget = prompt_chunk(device, model, options, options.cache_tokens);
    return options;
  }

  // What goes wrong with one message leaves the conversation as it was.
  void take(const std::string& message) {
    if (message.find_first_not_of(" \t") == std::string::npos) return;
    const Conversation before = conversation_;
    try {
      if (message.starts_with('/'))
        command(message);
      else
        answer(message);
    } catch (const Error& e) {
      conversation_ = before;
      print_message("{}\n", e.what());
    }
  }

  void command(const std::string& line) {
    const size_t blank = line.find(' ');
    const std::string name = line.substr(0, blank),
                      argument = blank == std::string::npos ? "" : line.substr(blank + 1);
    const auto file = [&] {
      check(!argument.empty(), "{} needs a file", name);
      return argument;
    };
    if (name == "/help")
      print_message("{}", help_text);
    else if (name == "/system")
      conversation_.set_system(argument);
    else if (name == "/clear")
      conversation_.clear();
    else if (name == "/undo")
      check(conversation_.undo(), "nothing was asked yet");
    else if (name == "/stats")
      print_figures();
    else if (name == "/save")
      conversation_.save(file());
    else if (name == "/load")
      conversation_.load(file());
    else if (name == "/exit")
      over_ = true;
    else
      fail("{} is no command: /help lists them", name);
  }

  void answer(const std::string& message) {
    check(valid_utf8_prefix(message) == message.size(), "the message is not valid UTF-8");
    conversation_.add("user", message);
    const ChatOptions prompt{.add_generation_prompt = true, .variables = Json::object()};
    Request request{template_.encode(tokenizer_, conversation_.messages(), prompt), sampling_, stop_};
    const auto length = static_cast<int64_t>(request.prompt.size());
    check(length < engine_.longest(),
          "the conversation has {} tokens and the longest one {}: /clear or /undo makes room", length,
          engine_.longest());
    request.stop.max_tokens = std::min(stop_.max_tokens, engine_.longest() - length);
    conversation_.add("assistant", generate(std::move(request)));
    ++sampling_.seed;
  }

  // The answer, streamed. An interrupt ends it; what there is of it stays.
  std::string generate(Request request) {
    figures_ = {.prompt = request.prompt.size()};
    const Clock::time_point start = Clock::now();
    Clock::time_point first = start, last = start;
    const std::string lead = template_.answer_lead();
    const int64_t id = engine_.submit(std::move(request));
    std::string text;
    while (engine_.busy() && !interrupted())
      for (const Output& out : engine_.step()) {
        check(out.finish != FinishReason::error, "{}", out.error);
        last = Clock::now();
        if (figures_.generated++ == 0) first = last;
        text += out.text;
        // A lead that the template writes is not part of what is said.
        const size_t skipped = text.size() == out.text.size() && out.text.starts_with(lead) ? lead.size() : 0;
        write_output(std::string_view(out.text).substr(skipped), true);
      }
    engine_.abort(id);
    write_output("\n", true);
    figures_.prefill = seconds(start, first), figures_.decode = seconds(first, last);
    return text.starts_with(lead) ? text.substr(lead.size()) : text;
  }

  void print_figures() const {
    check(figures_.generated > 0, "nothing was answered yet");
    const auto rate = [](double n, double time) { return time > 0 ? n / time : 0; };
    print_message("the conversation has {} tokens, read in {:.3f} s; {} generated, {:.1f} tokens/s\n",
                  figures_.prompt, figures_.prefill, figures_.generated,
                  rate(static_cast<double>(figures_.generated - 1), figures_.decode));
  }

  const Tokenizer& tokenizer_;
  ChatTemplate template_;
  Engine engine_;
  Conversation conversation_;
  SamplingParameters sampling_;
  StopConditions stop_;
  Figures figures_;
  bool over_ = false;
};

void chat(const Options& o) {
  check_model_folder(o.model);
  const Tokenizer tokenizer = Tokenizer::load(o.model);
  std::optional<DType> dtype;
  if (!o.dtype.empty()) dtype = dtype_named(o.dtype);
  Device device = Device::named(o.device, o.threads);
  const Model model = load_model(device, o.model, dtype);
  Chat(o, device, model, tokenizer).run();
}

}  // namespace

void add_chat(CLI::App& app) {
  auto options = std::make_shared<Options>();
  Options& o = *options;
  CLI::App* command = app.add_subcommand("chat", "Talk to a model");
  command->add_option("model", o.model, "model folder")->required();
  command->add_option("--system", o.system, "what the assistant is told first");
  command->add_option("--load", o.load, "go on with a conversation that /save wrote");
  add_number(*command, "-n,--max-tokens", o.max_tokens, "tokens of an answer at most",
             Allowed<int64_t>{.low = 1});
  add_number(*command, "--context", o.context,
             "tokens of a conversation at most, which memory is taken for; by default the model's context",
             Allowed<int64_t>{.low = 1});
  add_sampling_flags(*command, o.sampling);
  command->add_option("--stop", o.stop, "text that ends an answer, not printed; may be given several times")
      ->allow_extra_args(false);
  command->add_option("--device", o.device, "cpu, cuda, or cuda:N for another GPU than the first");
  add_threads(*command, o.threads);
  add_choice(*command, "--dtype", o.dtype,
             "weights, activations and cache; by default what the model is stored in", {"f32", "bf16"});
  command->callback([options] { chat(*options); });
}

}  // namespace fathom
