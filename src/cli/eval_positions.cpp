// fathom eval positions MODEL --text FILE --length N: loss and perplexity by the place in the context.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/eval_flags.h"
#include "cli/flags.h"
#include "cli/standard_streams.h"
#include "eval/position_loss.h"
#include "eval/text_tokens.h"
#include "io/file.h"

namespace fathom {
namespace {

struct Options {
  EvalFlags common;
  int64_t length = 0, windows = 16, ranges = 16;
  std::string out;
  bool json = false;
};

void run(const Options& o) {
  const Tokenizer tokenizer = load_tokenizer(o.common);
  const std::vector<int32_t> text =
      text_tokens(o.common.text, o.common.text_field, tokenizer, o.windows * o.length + 1);
  Device device = Device::named(o.common.device, o.common.threads);
  const Model model = load_model(o.common, device);
  catch_interrupts();
  const std::vector<PositionLoss> losses =
      position_losses(device, model, tokenizer.encode("", {.add_special = true}), text, o.length, o.ranges);
  const OrderedJson json = {{"model", o.common.model},
                            {"text", o.common.text},
                            {"length", o.length},
                            {"positions", position_json(losses)}};
  if (!o.out.empty()) write_file(o.out, json.dump(1) + "\n");
  print_output("{}", o.json ? json.dump(1) + "\n" : position_table(losses));
}

}  // namespace

void add_eval_positions(CLI::App& eval) {
  auto o = std::make_shared<Options>();
  CLI::App* command = eval.add_subcommand("positions", "Perplexity of a text by the place in the context");
  add_eval_flags(*command, o->common, "what is predicted");
  add_number(*command, "--length", o->length, "tokens of a window", {.low = 1})->required();
  add_number(*command, "--windows", o->windows, "windows at most", {.low = 1});
  add_number(*command, "--ranges", o->ranges, "that the positions are cut into", {.low = 1});
  command->add_option("--out", o->out, "write the result to this JSON file");
  command->add_flag("--json", o->json, "print JSON");
  command->callback([o] { run(*o); });
}

}  // namespace fathom
