#include "compare/evaluated_run.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/nearest.h"
#include "base/progress.h"
#include "compare/judged.h"
#include "io/descriptor.h"
#include "page/short_names.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

bool wanted(const RunChoice& choice, const std::string& task) {
  return choice.tasks.empty() ||
         std::find(choice.tasks.begin(), choice.tasks.end(), task) != choice.tasks.end();
}

bool has_results(const std::string& folder) {
  return !tasks_in(folder).empty() || !judged_folders(folder).empty();
}

// step-000200/ and its like, with results.
std::vector<std::string> checkpoints_in(const std::string& folder) {
  std::vector<std::string> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && entry.path().filename().string().starts_with("step-") &&
        has_results(entry.path().string()))
      found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  return found;
}

// A folder as it was given, and the folders of results that it stands for.
struct Found {
  std::vector<std::string> folders;
  bool series = false;
};

Found results_of(const std::string& path) {
  std::error_code ignored;
  check(fs::is_directory(path, ignored), "{}: there is no such folder", path);
  for (const std::string& folder : {path, file_in(path, "eval")})
    if (std::vector<std::string> all = checkpoints_in(folder); !all.empty()) return {std::move(all), true};
  check(has_results(path), "{}: has no results of fathom eval --out or fathom judge --out", path);
  return {{path}, false};
}

void add_training(const TrainingPlace& training, const std::string& task, EvaluatedRun& run) {
  if (!training.tokens && !training.step) return;
  const TrainingPlace& known = run.training;
  check((!known.tokens || known.tokens == training.tokens) && (!known.step || known.step == training.step),
        "{}: {} is of another checkpoint than the tasks before it: {} trained tokens, and {}", run.path, task,
        training.tokens.value_or(0), known.tokens.value_or(0));
  run.training = training;
}

EvaluatedRun read_run(const std::string& folder, const RunChoice& choice) {
  EvaluatedRun run{
      .path = folder, .name = {}, .training = {}, .series = {}, .tasks = {}, .there = {}, .remarks = {}};
  for (const std::string& name : tasks_in(folder)) {
    run.there.push_back(name);
    if (!wanted(choice, name)) continue;
    TaskFiles files = read_task_files(folder, name);
    add_training(files.training, name, run);
    run.tasks.emplace(name, std::move(files.scored));
  }
  for (const std::string& judged : judged_folders(folder)) {
    std::optional<ScoredTask> task = read_judged(judged);
    if (!task)
      run.remarks.push_back(judged +
                            ": MT-Bench's pairs are no row here: they compare two models themselves");
    if (!task) continue;
    const std::string name = task->task;
    run.there.push_back(name);
    if (!wanted(choice, name)) continue;
    check(run.tasks.emplace(name, std::move(*task)).second, "{}: has {} twice", folder, name);
  }
  return run;
}

// OUT of OUT/eval, which is named for nothing.
std::string named_folder(const std::string& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  const fs::path folder = whole.has_filename() ? whole : whole.parent_path();
  return folder.filename() == "eval" ? folder.parent_path().string() : path;
}

// Checkpoints of one run that were scored one by one are one by their training run's folder.
void join_series(std::vector<EvaluatedRun>& runs) {
  std::map<std::string, int> of_run;
  for (const EvaluatedRun& run : runs) ++of_run[run.training.run];
  for (EvaluatedRun& run : runs) {
    const std::string& from = run.training.run;
    if (run.series.empty() && !from.empty() && run.training.tokens && of_run[from] > 1)
      run.series = fs::path(from).lexically_normal().filename().string();
  }
}

// A name that several have is that of a series, and its members are told apart by their tokens.
void name_members(std::vector<EvaluatedRun>& runs) {
  std::map<std::string, std::vector<EvaluatedRun*>> by_name;
  for (EvaluatedRun& run : runs) by_name[run.name].push_back(&run);
  for (const auto& [name, all] : by_name) {
    if (all.size() == 1) continue;
    for (EvaluatedRun* run : all) {
      check(run->training.tokens.has_value(),
            "{}: several runs are named '{}', and of this one is not known how many tokens it was trained "
            "on: --tokens "
            "says it for each",
            run->path, name);
      run->series = name;
    }
  }
  std::set<std::string> names;
  for (EvaluatedRun& run : runs) {
    if (!run.series.empty())
      run.name = fmt::format("{} @ {}", run.name == run.series || run.name.empty() ? run.series : run.name,
                             human_count(static_cast<double>(*run.training.tokens)));
    check(names.insert(run.name).second, "{}: two runs are named '{}'", run.path, run.name);
  }
}

void check_tasks(const std::vector<EvaluatedRun>& runs, const RunChoice& choice) {
  std::set<std::string> there;
  for (const EvaluatedRun& run : runs) there.insert(run.there.begin(), run.there.end());
  const std::vector<std::string> known(there.begin(), there.end());
  for (const std::string& task : choice.tasks)
    check(there.contains(task), "no run has results of task '{}'{}", task, did_you_mean(task, known));
}

}  // namespace

std::vector<EvaluatedRun> read_runs(const RunChoice& choice) {
  const auto fits = [&](size_t given) { return given == 0 || given == choice.paths.size(); };
  check(fits(choice.names.size()), "--names has {} names, and there are {} runs", choice.names.size(),
        choice.paths.size());
  check(fits(choice.tokens.size()), "--tokens has {} numbers, and there are {} runs", choice.tokens.size(),
        choice.paths.size());
  std::vector<std::string> folders;
  for (const std::string& path : choice.paths) folders.push_back(named_folder(path));
  const std::vector<std::string> short_ones = short_names(folders);
  std::vector<EvaluatedRun> runs;
  std::set<fs::path> seen;
  for (size_t i = 0; i < choice.paths.size(); ++i) {
    const Found found = results_of(choice.paths[i]);
    check(choice.tokens.empty() || !found.series,
          "{}: has several checkpoints, whose tokens their files must say", choice.paths[i]);
    std::vector<EvaluatedRun> own;
    for (const std::string& folder : found.folders) {
      check(seen.insert(fs::canonical(folder)).second, "{}: is given twice", folder);
      EvaluatedRun& run = own.emplace_back(read_run(folder, choice));
      run.name = choice.names.empty() ? short_ones[i] : choice.names[i];
      if (!choice.tokens.empty()) run.training.tokens = choice.tokens[i];
      if (!found.series) continue;
      check(run.training.tokens.has_value(),
            "{}: nothing says how many tokens this checkpoint was trained on", folder);
      run.series = run.name;
    }
    std::stable_sort(own.begin(), own.end(), [](const EvaluatedRun& a, const EvaluatedRun& b) {
      return a.training.tokens.value_or(0) < b.training.tokens.value_or(0);
    });
    for (EvaluatedRun& run : own) runs.push_back(std::move(run));
  }
  if (choice.names.empty()) join_series(runs);
  name_members(runs);
  check_tasks(runs, choice);
  return runs;
}

}  // namespace fathom
