#include "cli/eval_flags.h"

#include "base/error.h"
#include "cli/flags.h"
#include "cli/model_argument.h"
#include "model/model_folder.h"
#include "text/tokenizer_identity.h"

namespace fathom {

void add_eval_flags(CLI::App& command, EvalFlags& f, const std::string& of_text) {
  command.add_option("model", f.model, "model folder")->required();
  command.add_option("--text", f.text, of_text + ": a .txt or .jsonl file, also .zst or .gz")->required();
  command.add_option("--text-field", f.text_field, "member of each .jsonl line")->capture_default_str();
  command.add_option("--device", f.device, "cpu, cuda, or cuda:N")->capture_default_str();
  add_choice(command, "--dtype", f.dtype, "what the model runs in; by default what it is stored in",
             {"f32", "bf16"});
  add_threads(command, f.threads);
}

Tokenizer load_tokenizer(const EvalFlags& f) {
  check_model_folder(f.model);
  check(tokenizer_file(f.model).has_value(), "{}: the model has no tokenizer.json", f.model);
  return Tokenizer::load(f.model);
}

Model load_model(const EvalFlags& f, Device& device) {
  return load_model(device, f.model, f.dtype.empty() ? std::nullopt : std::optional(dtype_named(f.dtype)));
}

}  // namespace fathom
