// fathom verify MODEL GOLDEN: a checkpoint against reference results (tools/make_golden.py makes such files).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/model_argument.h"
#include "cli/standard_streams.h"
#include "engine/verify_greedy.h"
#include "model/model_folder.h"
#include "model/verify_model.h"

namespace fathom {
namespace {

struct Options {
  std::string model, golden, dtype = "f32", device = "cpu";
  int threads = 0;
  bool json = false;
};

void print_text(const std::vector<Verdict>& verdicts) {
  for (const Verdict& v : verdicts)
    print_output("{:<6}{:>10.2e}  (at most {:.0e})  {}\n", v.pass() ? "ok" : "FAIL", v.error, v.tolerance,
                 v.name);
}

void print_json(const std::vector<Verdict>& verdicts, bool pass) {
  OrderedJson tensors = OrderedJson::array();
  for (const Verdict& v : verdicts)
    tensors.push_back({{"name", v.name}, {"error", v.error}, {"tolerance", v.tolerance}, {"pass", v.pass()}});
  print_output("{}\n", OrderedJson{{"pass", pass}, {"tensors", tensors}}.dump(2));
}

void verify(const Options& o) {
  check_model_folder(o.model);
  const DType dtype = dtype_named(o.dtype);
  Device device = Device::named(o.device, o.threads);
  const SafetensorsFile golden(o.golden);
  const Model model = load_model(device, o.model, dtype);
  std::vector<Verdict> verdicts = verify_model(device, model, golden);
  if (const auto greedy = verify_greedy(device, model, golden)) verdicts.push_back(*greedy);
  check(!verdicts.empty(), "{}: holds none of logits, loss, grad.*, greedy", o.golden);
  const auto failed =
      std::count_if(verdicts.begin(), verdicts.end(), [](const Verdict& v) { return !v.pass(); });
  if (o.json)
    print_json(verdicts, failed == 0);
  else
    print_text(verdicts);
  check(failed == 0, "{} of {} results are past tolerance", failed, verdicts.size());
}

}  // namespace

void add_verify(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("verify", "Hold a model against reference results");
  command->add_option("model", options->model, "model folder")->required();
  command->add_option("golden", options->golden, "reference results (.safetensors)")->required();
  add_choice(*command, "--dtype", options->dtype,
             "weights and activations in f32, bf16, or f64 (reference device)", {"f32", "bf16", "f64"});
  command->add_option("--device", options->device, "cpu, cuda (cuda:N), or reference for plain loops");
  add_threads(*command, options->threads);
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] { verify(*options); });
}

}  // namespace fathom
