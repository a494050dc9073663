#include "cli/corpus_flags.h"

namespace fathom {

void add_corpus_flags(CLI::App& command, std::vector<std::string>& inputs, CorpusOptions& o) {
  command
      .add_option(
          "inputs", inputs,
          "text: .txt, .jsonl or .ndjson files, each also as .zst or .gz, .parquet files, or folders of them")
      ->required();
  add_choice(command, "--as", "read every file as this, whatever its name", {"text", "jsonl", "parquet"},
             [&o](const std::string& name) {
               o.format = name == "text"    ? TextFormat::text
                          : name == "jsonl" ? TextFormat::jsonl
                                            : TextFormat::parquet;
             });
  command
      .add_option("--text-field", o.text_field,
                  "the field of a .jsonl line, or the .parquet column, with the text")
      ->capture_default_str();
  add_number(command, "--split-text", o.chunk_size,
             "cut text files into documents at the first blank line after this many bytes; 0: never",
             Allowed<int64_t>{.low = 0});
  command.add_flag(
      "--skip-bad", o.skip_bad,
      "leave out and count .jsonl lines that are malformed or lack the text, and .parquet rows without it");
}

}  // namespace fathom
