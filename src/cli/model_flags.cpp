#include "cli/model_flags.h"

#include "base/error.h"
#include "cli/flags.h"
#include "cli/model_argument.h"
#include "model/adapter_folder.h"
#include "model/model_folder.h"
#include "text/tokenizer_identity.h"

namespace fathom {

void add_model_flags(CLI::App& command, ModelFlags& f) {
  command.add_option("model", f.model, "model folder")->required();
  command.add_option("--device", f.device, "cpu, cuda, or cuda:N for another GPU than the first");
  add_threads(command, f.threads);
  add_choice(command, "--dtype", f.dtype,
             "weights, activations and cache; by default what the model is stored in", {"f32", "bf16"});
  command.add_option("--adapter", f.adapter,
                     "folder of a LoRA adapter in PEFT's form, applied beside the weights without merging");
}

std::string text_folder(const ModelFlags& f) {
  return folder_with_tokenizer(f.model, f.adapter);
}

Tokenizer load_tokenizer(const ModelFlags& f) {
  check_model_folder(f.model);
  const std::string folder = text_folder(f);
  check(tokenizer_file(folder).has_value(), "{}: the model has no tokenizer.json", folder);
  return Tokenizer::load(folder);
}

Model load_model(const ModelFlags& f, Device& device) {
  check_language_model(read_config(f.model), f.model);
  const auto dtype = f.dtype.empty() ? std::nullopt : std::optional(dtype_named(f.dtype));
  if (f.adapter.empty()) return load_model(device, f.model, dtype);
  check_model_folder(f.adapter, "adapter_config.json");
  check_language_model(with_adapter(read_config(f.model), f.adapter), f.adapter);
  return load_model(device, f.model, f.adapter, dtype);
}

}  // namespace fathom
