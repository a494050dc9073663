// fathom merge MODEL ADAPTER --out DIR: a model with an adapter's changes in its weights.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/model_argument.h"
#include "cli/standard_streams.h"
#include "model/merge_adapters.h"
#include "model/model_folder.h"

namespace fathom {
namespace {

struct Options {
  std::string model, adapter, out;
  int threads = 0;
};

bool is_same_folder(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return std::filesystem::equivalent(a, b, ignored);
}

void merge(const Options& o) {
  check_model_folder(o.model);
  check_model_folder(o.adapter, "adapter_config.json");
  check(!is_same_folder(o.out, o.model) && !is_same_folder(o.out, o.adapter),
        "--out: {} is what is read: the merged model needs a folder of its own", o.out);
  Device device = Device::cpu(o.threads);
  Model model = load_model(device, o.model, o.adapter, {});
  const size_t projections = model.config.lora.projections.size();
  merge_adapters(device, model);
  save_model(device, o.out, model, o.model, o.adapter);
  print_output("{} adapters merged\nmodel: {}\n", projections, o.out);
}

}  // namespace

void add_merge(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("merge", "Bring an adapter into a model's weights");
  command->add_option("model", options->model, "model folder")->required();
  command->add_option("adapter", options->adapter, "folder of the adapter, in PEFT's form")->required();
  command->add_option("--out", options->out, "folder of the merged model")->required();
  add_threads(*command, options->threads);
  command->callback([options] { merge(*options); });
}

}  // namespace fathom
