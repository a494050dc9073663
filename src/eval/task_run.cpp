#include "eval/task_run.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/progress.h"
#include "eval/record_file.h"
#include "eval/run_identity.h"
#include "io/file.h"

namespace fathom {
namespace {

// Items that are measured together: of one subject, so that they share their examples.
struct Chunk {
  const SubjectItems* data;
  std::span<const Item> items;
};

std::vector<Chunk> chunks_of(const Task& task, const TaskItems& data) {
  const int64_t most =
      task.form == TaskForm::choice ? 128 : std::max<int64_t>(64 / task.generation.samples, 1);
  std::vector<Chunk> chunks;
  for (const SubjectItems& subject : data.subjects)
    for (int64_t first = 0; first < std::ssize(subject.items); first += most)
      chunks.push_back(
          {&subject, std::span(subject.items)
                         .subspan(static_cast<size_t>(first),
                                  static_cast<size_t>(std::min(most, std::ssize(subject.items) - first)))});
  return chunks;
}

class Run {
 public:
  Run(const Task& task, const TaskItems& data, const TaskRunSettings& settings)
      : task_(task), data_(data), settings_(settings), scorer_(task, settings.workers, settings.allow_weak) {
    for (const SubjectItems& subject : data.subjects)
      for (const Item& item : subject.items) items_.push_back(&item);
  }

  TaskResult measure(const AskedModel& model) {
    OrderedJson identity = task_identity(task_, data_);
    identity.update(settings_.identity);
    if (!settings_.out.empty()) std::filesystem::create_directories(settings_.out);
    RecordFile file(path(".jsonl"), settings_.resume);
    if (!settings_.out.empty()) check_identity(path(".run.json"), identity);
    const std::vector<Chunk> chunks = chunks_of(task_, data_);
    std::vector<int64_t> sizes;
    for (const Chunk& chunk : chunks) sizes.push_back(std::ssize(chunk.items));
    const std::vector<Measured> before = file.take_over(items_, sizes);
    Measurement measurement(model.engine, model.tokenizer, task_, model.chat, settings_.measurement);
    Progress progress(task_.name, std::ssize(items_), "items");
    for (const Chunk& chunk : chunks) {
      const size_t done = measured_.size(), n = chunk.items.size();
      if (done < before.size()) {
        add(chunk, {before.begin() + static_cast<ptrdiff_t>(done),
                    before.begin() + static_cast<ptrdiff_t>(done + n)});
        continue;
      }
      // Numbers must not depend on what was computed before, in this process or another.
      model.engine.forget_prefixes();
      add(chunk, measurement.measure(*chunk.data, chunk.items, [&](int64_t of_chunk) {
        progress.update(static_cast<int64_t>(done) + of_chunk);
      }));
      file.append(lines(done));
    }
    return finish();
  }

  TaskResult rescore() {
    const std::string records = path(".jsonl");
    std::vector<Measured> before = read_records(records);
    check(before.size() == items_.size(), "{}: has {} records, the task has {} items", records, before.size(),
          items_.size());
    size_t at = 0;
    for (const Chunk& chunk : chunks_of(task_, data_)) {
      std::vector<Measured> part;
      for (size_t i = 0; i < chunk.items.size(); ++i, ++at) {
        check(before[at].id == items_[at]->id,
              "{}:{}: is the record of item {}, where that of {} was expected", records, at + 1,
              before[at].id, items_[at]->id);
        part.push_back(std::move(before[at]));
      }
      add(chunk, std::move(part));
    }
    write_file(records, lines(0));
    return finish();
  }

 private:
  std::string path(const std::string& ending) const {
    return settings_.out.empty() ? "" : settings_.out + "/" + task_.name + ending;
  }

  void add(const Chunk& chunk, std::vector<Measured> measured) {
    for (ItemScores& scores : scorer_.score(chunk.items, measured)) scores_.push_back(std::move(scores));
    for (Measured& m : measured) measured_.push_back(std::move(m));
  }

  std::string lines(size_t first) const {
    std::string text;
    for (size_t i = first; i < measured_.size(); ++i) {
      OrderedJson record = measured_json(measured_[i]);
      if (i < scores_.size()) add_scores(task_, *items_[i], scores_[i], record);
      text += record.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
    }
    return text;
  }

  TaskResult finish() {
    TaskResult result =
        task_result(task_, data_, items_, measured_, scores_, settings_.measurement.seed, settings_.threads);
    if (!settings_.out.empty()) {
      OrderedJson json = task_result_json(result);
      for (const UpstreamFile& file : data_.files)
        json["files"].push_back({{"path", file.path}, {"hash", file.hash}});
      json["malformed_rows"] = data_.malformed;
      write_file(path(".result.json"), json.dump(1) + "\n");
    }
    return result;
  }

  const Task& task_;
  const TaskItems& data_;
  const TaskRunSettings& settings_;
  const Scorer scorer_;
  std::vector<const Item*> items_;
  std::vector<Measured> measured_;
  std::vector<ItemScores> scores_;
};

}  // namespace

TaskResult run_task(const AskedModel& model, const Task& task, const TaskItems& data,
                    const TaskRunSettings& settings) {
  return Run(task, data, settings).measure(model);
}

TaskResult rescore_task(const Task& task, const TaskItems& data, const TaskRunSettings& settings) {
  return Run(task, data, settings).rescore();
}

}  // namespace fathom
