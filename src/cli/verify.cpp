// fathom verify MODEL GOLDEN: a checkpoint against reference results (tools/make_golden.py makes such files).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "base/log.h"
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
  bool layers = false, json = false;
};

bool is_of_a_layer(const Verdict& v) {
  return v.name.starts_with("hidden.") || v.name.starts_with("middle.") || v.name.starts_with("experts.");
}

// "hidden.3, after the MoE of layer 2"
std::string place_of(const Config& c, const std::string& name) {
  const std::string index = name.substr(name.find('.') + 1);
  if (index == "norm") return name + ", the final norm";
  const int64_t i = std::stoll(index);
  if (name.starts_with("middle.")) return fmt::format("{}, after the attention of layer {}", name, i);
  if (name.starts_with("experts.")) return fmt::format("{}, the router of layer {}", name, i);
  if (i == 0) return name + ", the embedding";
  return fmt::format("{}, after the {} of layer {}", name, c.is_moe_layer(i - 1) ? "MoE" : "MLP", i - 1);
}

// Where a mismatch begins, in words.
std::string first_mismatch(const Config& c, const std::vector<Verdict>& verdicts) {
  const auto first = std::find_if(verdicts.begin(), verdicts.end(),
                                  [](const Verdict& v) { return is_of_a_layer(v) && !v.pass(); });
  if (first != verdicts.end()) return place_of(c, first->name);
  return std::any_of(verdicts.begin(), verdicts.end(), is_of_a_layer) ? "none" : "not compared";
}

void print_text(const std::vector<Verdict>& verdicts) {
  size_t width = 0;
  for (const Verdict& v : verdicts) width = std::max(width, v.name.size());
  for (const Verdict& v : verdicts)
    print_output("{:<5}{:>9.2e}  at most {:.1e}  {:<{}}  {}\n", v.pass() ? "ok" : "FAIL", v.error,
                 v.tolerance.value, v.name, width, v.tolerance.reason);
}

OrderedJson to_json(const Verdict& v) {
  return {{"name", v.name},
          {"error", v.error},
          {"tolerance", v.tolerance.value},
          {"reason", v.tolerance.reason},
          {"pass", v.pass()}};
}

void print_json(const Config& c, const std::vector<Verdict>& verdicts, bool pass) {
  OrderedJson tensors = OrderedJson::array();
  for (const Verdict& v : verdicts) tensors.push_back(to_json(v));
  print_output("{}\n", OrderedJson{{"pass", pass},
                                   {"first_layer_past_tolerance", first_mismatch(c, verdicts)},
                                   {"tensors", tensors}}
                           .dump(2));
}

void warn_of_missing_keys(const SafetensorsFile& golden, const Config& config) {
  const std::vector<std::string> missing = missing_layer_keys(config, golden, false);
  if (!missing.empty())
    log::warn(
        "{}: --layers reads these keys, which the file does not have: {} (tools/make_golden.py writes them)",
        golden.path(), fmt::join(missing, ", "));
}

void verify(const Options& o) {
  check_model_folder(o.model);
  const DType dtype = dtype_named(o.dtype);
  Device device = Device::named(o.device, o.threads);
  check_language_model(read_config(o.model), o.model);
  const SafetensorsFile golden(o.golden);
  const Model model = load_model(device, o.model, dtype);
  OwnReference reference([&] { return load_model(Device::cpu(), o.model, DType::f32); });
  if (o.layers) warn_of_missing_keys(golden, model.config);
  std::vector<Verdict> verdicts = verify_model(device, model, golden, reference, o.layers);
  if (const auto greedy = verify_greedy(device, model, golden, reference)) verdicts.push_back(*greedy);
  check(!verdicts.empty(), "{}: holds none of logits, loss, grad.*, hidden.*, experts.*, greedy", o.golden);
  const auto failed =
      std::count_if(verdicts.begin(), verdicts.end(), [](const Verdict& v) { return !v.pass(); });
  if (o.json)
    print_json(model.config, verdicts, failed == 0);
  else
    print_text(verdicts);
  if (o.layers && !o.json)
    print_output("first layer past tolerance: {}\n", first_mismatch(model.config, verdicts));
  check(failed == 0, "{} of {} results are past tolerance", failed, verdicts.size());
}

}  // namespace

void add_verify(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("verify", "Compare a model with reference results");
  command->add_option("model", options->model, "model folder")->required();
  command->add_option("golden", options->golden, "reference results (.safetensors)")->required();
  add_choice(*command, "--dtype", options->dtype,
             "weights and activations in f32, bf16, or f64 (reference device)", {"f32", "bf16", "f64"});
  command->add_option("--device", options->device, "cpu, cuda (cuda:N), or reference for plain loops");
  add_threads(*command, options->threads);
  command->add_flag("--layers", options->layers,
                    "say which layer is the first past tolerance, and which keys for it the file lacks");
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] { verify(*options); });
}

}  // namespace fathom
