// Any bytes as files of results: a task's run and result, its records, and a judge's folder, whose three
// files stand one behind another with a NUL byte between them: read, or refused with an Error.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "compare/judged.h"
#include "compare/task_files.h"
#include "eval/score_record.h"

namespace {

template <class Action>
void allow_error(const Action& action) {
  try {
    action();
  } catch (const fathom::Error&) {
  }
}

void write(const std::string& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(text.data(), 1, text.size(), file) != text.size()) std::abort();
  std::fclose(file);
}

// Each record lies where it says.
void read_records(std::string_view text) {
  const fathom::ScoreRecords records = fathom::parse_score_records(text, "fuzz.jsonl");
  for (const fathom::ScoreRecord& r : records.items) {
    if (r.scores.size() != records.metrics.size() || r.end > text.size() || r.begin >= r.end) std::abort();
    if (text[r.end] != '\n') std::abort();
  }
}

void read_judge_folder(std::string_view text) {
  static const std::string folder = "/tmp/fathom_results_fuzz_" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  for (const char* name : {"settings.json", "scores.json", "judgements.jsonl"}) {
    const size_t end = std::min(text.find('\0'), text.size());
    write(folder + "/" + name, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::filesystem::rename(folder + "/judgements.jsonl", folder + "/annotations.json");
  allow_error([&] { fathom::read_judged(folder); });
  std::filesystem::rename(folder + "/annotations.json", folder + "/judgements.jsonl");
  allow_error([&] { fathom::read_judged(folder); });
  std::filesystem::remove_all(folder);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  const std::string text(reinterpret_cast<const char*>(data), size);
  allow_error([&] {
    const Json json = parse_json(text, "fuzz");
    TaskFiles files;
    allow_error([&] { parse_run(json, "fuzz", files); });
    ScoredTask task;
    parse_result(json, "fuzz", task);
  });
  allow_error([&] { read_records(text); });
  read_judge_folder(text);
  return 0;
}
