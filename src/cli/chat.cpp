// fathom chat MODEL: a conversation in the terminal. Answers stream to standard output; everything else that
// is said goes to standard error. The engine keeps the pages of what was said, so that a turn reads only what
// is new.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/flags.h"
#include "cli/line_reader.h"
#include "cli/model_flags.h"
#include "cli/run_request.h"
#include "cli/sampling_flags.h"
#include "cli/standard_streams.h"
#include "engine/engine.h"
#include "engine/generation_config.h"
#include "engine/prompt_chunk.h"
#include "text/chat_template.h"
#include "text/utf8.h"

namespace fathom {
namespace {

struct Options : ModelFlags {
  std::string system, load;
  SamplingFlags sampling;
  std::vector<std::string> stop;
  int64_t max_tokens = 1024;
  std::optional<int64_t> context;
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

class Chat {
 public:
  Chat(const Options& o, Device& device, const Model& model, const Tokenizer& tokenizer)
      : model_(model),
        tokenizer_(tokenizer),
        template_(ChatTemplate::load(text_folder(o))),
        lead_(template_.answer_lead()),
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
    TerminalReader lines;
    while (!over_) {
      catch_ctrl_c();
      if (terminal) print_message("> ");
      std::string message;
      const TerminalReader::Got got = lines.read_message(message, [&] {
        if (terminal) print_message(". ");
      });
      if (terminal && got != TerminalReader::Got::line) print_message("\n");
      if (got == TerminalReader::Got::end) return;
      if (got == TerminalReader::Got::line) take(message);
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
    request_ = {template_.encode(tokenizer_, conversation_.messages(), prompt), sampling_, stop_};
    last_ = {};
    const auto length = static_cast<int64_t>(request_.prompt.size());
    check(length < engine_.longest(),
          "the conversation has {} tokens and the longest one {}: /clear or /undo makes room", length,
          engine_.longest());
    request_.stop.max_tokens = std::min(stop_.max_tokens, engine_.longest() - length);
    conversation_.add("assistant", generate());
    ++sampling_.seed;
  }

  // The answer, streamed. An interrupt ends it; what there is of it stays. A lead that the template writes is
  // not part of what is said.
  std::string generate() {
    bool begun = false;
    last_ = run_request(engine_, request_, [&](const std::string& text) {
      const size_t skipped = !begun && text.starts_with(lead_) ? lead_.size() : 0;
      begun = begun || !text.empty();
      write_output(std::string_view(text).substr(skipped), true);
    });
    check(last_.error.empty(), "{}", last_.error);
    write_output("\n", true);
    return last_.text.starts_with(lead_) ? last_.text.substr(lead_.size()) : last_.text;
  }

  void print_figures() const {
    check(!last_.ids.empty(), "nothing was answered yet");
    print_statistics(last_, request_, model_);
  }

  const Model& model_;
  const Tokenizer& tokenizer_;
  ChatTemplate template_;
  std::string lead_;
  Engine engine_;
  Conversation conversation_;
  SamplingParameters sampling_;
  StopConditions stop_;
  Request request_;  // the last one, and what came of it
  Generation last_;
  bool over_ = false;
};

void chat(const Options& o) {
  const Tokenizer tokenizer = load_tokenizer(o);
  Device device = Device::named(o.device, o.threads);
  const Model model = load_model(o, device);
  Chat(o, device, model, tokenizer).run();
}

}  // namespace

void add_chat(CLI::App& app) {
  auto options = std::make_shared<Options>();
  Options& o = *options;
  CLI::App* command = app.add_subcommand("chat", "Talk to a model");
  add_model_flags(*command, o);
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
  command->callback([options] { chat(*options); });
}

}  // namespace fathom
