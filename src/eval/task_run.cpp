#include "eval/task_run.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "eval/measurement.h"
#include "eval/record_file.h"
#include "eval/run_identity.h"
#include "io/file.h"

namespace fathom {
namespace {

// Items that are measured together.
struct Chunk {
  std::vector<ItemSpan> spans;
  int64_t size = 0;
};

std::vector<Chunk> chunks_of(const Task& task, const TaskItems& data, int64_t together) {
  const int64_t samples = task.form == TaskForm::generate ? task.generation.samples : 1,
                most = std::max<int64_t>(together / samples, 1);
  std::vector<Chunk> chunks;
  for (const SubjectItems& subject : data.subjects)
    for (int64_t first = 0; first < std::ssize(subject.items);) {
      if (chunks.empty() || chunks.back().size == most) chunks.emplace_back();
      Chunk& chunk = chunks.back();
      const int64_t n = std::min(most - chunk.size, std::ssize(subject.items) - first);
      chunk.spans.push_back(
          {&subject,
           std::span(subject.items).subspan(static_cast<size_t>(first), static_cast<size_t>(n))});
      chunk.size += n, first += n;
    }
  return chunks;
}

// Of a chunk before which so many items are done.
using MeasureChunk = std::function<std::vector<Measured>(const Chunk& chunk, int64_t done)>;

class Run {
 public:
  Run(const Task& task, const TaskItems& data, const TaskRunSettings& settings)
      : task_(task), data_(data), settings_(settings), scorer_(task, settings.workers, settings.allow_weak) {
    for (const SubjectItems& subject : data.subjects)
      for (const Item& item : subject.items) items_.push_back(&item);
  }

  TaskResult measure(Measurer& measurer) {
    const MeasureChunk measure = [&](const Chunk& chunk, int64_t done) {
      // Numbers must not depend on what was computed before, in this process or another.
      measurer.forget();
      return measurer.measure(chunk.spans, [&](int64_t of_chunk) { show(done + of_chunk); });
    };
    return settings_.share.ranks > 1 ? measure_share(measure) : measure_all(measure);
  }

  TaskResult rescore() {
    const std::string records = path(".jsonl");
    std::vector<Measured> before = read_records(records);
    check(before.size() == items_.size(), "{}: has {} records, the task has {} items", records, before.size(),
          items_.size());
    size_t at = 0;
    for (const Chunk& chunk : chunks_of(task_, data_, settings_.together)) {
      std::vector<Measured> part;
      for (int64_t i = 0; i < chunk.size; ++i, ++at) {
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

  TaskResult measure_all(const MeasureChunk& measure) {
    if (!settings_.out.empty()) std::filesystem::create_directories(settings_.out);
    RecordFile file(path(".jsonl"), settings_.resume);
    note_identity();
    const std::vector<Chunk> chunks = chunks_of(task_, data_, settings_.together);
    std::vector<int64_t> sizes;
    for (const Chunk& chunk : chunks) sizes.push_back(chunk.size);
    const std::vector<Measured> before = file.take_over(items_, sizes);
    begin_progress();
    for (const Chunk& chunk : chunks) {
      const size_t done = measured_.size(), n = static_cast<size_t>(chunk.size);
      if (done < before.size()) {
        add(chunk, {before.begin() + static_cast<ptrdiff_t>(done),
                    before.begin() + static_cast<ptrdiff_t>(done + n)});
        continue;
      }
      add(chunk, measure(chunk, static_cast<int64_t>(done)));
      file.append(lines(done));
    }
    return finish();
  }

  // Of N processes each measures every Nth chunk.
  TaskResult measure_share(const MeasureChunk& measure) {
    const auto [rank, ranks, gather] = settings_.share;
    const std::vector<Chunk> chunks = chunks_of(task_, data_, settings_.together);
    std::string mine;
    int64_t done = 0;
    if (rank == 0) begin_progress();
    try {
      for (size_t i = static_cast<size_t>(rank); i < chunks.size(); i += static_cast<size_t>(ranks)) {
        for (const Measured& m : measure(chunks[i], done)) mine += line_of(measured_json(m));
        done += chunks[i].size * ranks;
      }
    } catch (const Interrupted&) {
      mine = broken_off;
    }
    const std::vector<std::string> texts = gather(mine);
    if (std::find(texts.begin(), texts.end(), broken_off) != texts.end()) throw Interrupted();
    if (rank > 0) return {};
    show(std::ssize(items_));
    std::vector<std::vector<Measured>> of_rank;
    for (const std::string& text : texts)
      of_rank.push_back(parse_records(text, fmt::format("rank {}", of_rank.size())));
    std::vector<ptrdiff_t> taken(texts.size(), 0);
    for (size_t i = 0; i < chunks.size(); ++i) {
      const size_t owner = i % texts.size();
      const auto first = of_rank[owner].begin() + taken[owner];
      taken[owner] += chunks[i].size;
      add(chunks[i], {first, of_rank[owner].begin() + taken[owner]});
    }
    if (!settings_.out.empty()) std::filesystem::create_directories(settings_.out);
    RecordFile(path(".jsonl"), false).append(lines(0));
    note_identity();
    return finish();
  }

  void begin_progress() { progress_.emplace(task_.name, std::ssize(items_), "items"); }
  // Of all ranks, as if they were equally far.
  void show(int64_t done) {
    if (progress_) progress_->update(std::min(done, std::ssize(items_)));
  }

  void note_identity() const {
    if (settings_.out.empty()) return;
    OrderedJson identity = task_identity(task_, data_);
    identity.update(settings_.identity);
    check_identity(path(".run.json"), identity, settings_.about);
  }

  void add(const Chunk& chunk, std::vector<Measured> measured) {
    std::span<const Measured> left = measured;
    for (const ItemSpan& span : chunk.spans) {
      for (ItemScores& scores : scorer_.score(span.items, left.first(span.items.size())))
        scores_.push_back(std::move(scores));
      left = left.subspan(span.items.size());
    }
    for (Measured& m : measured) measured_.push_back(std::move(m));
  }

  static std::string line_of(const OrderedJson& record) {
    return record.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  }

  std::string lines(size_t first) const {
    std::string text;
    for (size_t i = first; i < measured_.size(); ++i) {
      OrderedJson record = measured_json(measured_[i]);
      add_place(task_, *items_[i], record);
      if (i < scores_.size()) add_scores(task_, *items_[i], scores_[i], record);
      text += line_of(record);
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
      if (const SubjectPlan plan = subject_plan(task_); plan.has_subjects) {
        json["subjects"] = plan.all;
        for (const auto& [name, members] : plan.categories) json["categories"][name] = members;
      }
      write_file(path(".result.json"), json.dump(1) + "\n");
    }
    return result;
  }

  static constexpr const char* broken_off = "broken off";

  const Task& task_;
  const TaskItems& data_;
  const TaskRunSettings& settings_;
  const Scorer scorer_;
  std::vector<const Item*> items_;
  std::vector<Measured> measured_;
  std::vector<ItemScores> scores_;
  std::optional<Progress> progress_;
};

}  // namespace

TaskResult run_task(const AskedModel& model, const Task& task, const TaskItems& data,
                    const TaskRunSettings& settings) {
  EngineAnswerer answerer(model.engine);
  Measurement measurement(answerer, model.tokenizer, task, model.chat, settings.measurement);
  return run_task(measurement, task, data, settings);
}

TaskResult run_task(Measurer& measurer, const Task& task, const TaskItems& data,
                    const TaskRunSettings& settings) {
  return Run(task, data, settings).measure(measurer);
}

TaskResult rescore_task(const Task& task, const TaskItems& data, const TaskRunSettings& settings) {
  return Run(task, data, settings).rescore();
}

}  // namespace fathom
