#include "cli/eval_flags.h"

namespace fathom {

void add_eval_flags(CLI::App& command, EvalFlags& f, const std::string& of_text) {
  add_model_flags(command, f);
  command
      .add_option("--text", f.text, of_text + ": a .txt or .jsonl file, also .zst or .gz, or a .parquet file")
      ->required();
  command.add_option("--text-field", f.text_field, "member of each .jsonl line, or the .parquet column")
      ->capture_default_str();
}

}  // namespace fathom
