// The items of a task: rows of its files, put into its templates. A row that cannot become an item is not
// dropped silently: it is kept with its reason.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "eval/task.h"

namespace fathom {

struct Item {
  std::string id;       // unique within the task: "abstract_algebra:7", or by the task's template
  std::string subject;  // empty without subjects
  std::string cluster;  // items of one cluster stand together in confidence intervals; by default its own id
  std::string where;    // file and line
  Json fields;          // the row's, and `subject`
  // What is asked; with contexts one for each option.
  std::vector<jinja::Text> prompts;
  std::vector<jinja::Text> answers;  // of the options; of a generating task as an example: the one answer
  std::vector<std::string> labels;
  int64_t gold = -1;     // the right option
  std::string document;  // of a text task

  // What it says as an example. The prompt is what tells whether it is the same as another item.
  const jinja::Text& shot_prompt() const {
    return prompts[prompts.size() > 1 ? static_cast<size_t>(gold) : 0];
  }
  const jinja::Text& shot_answer() const { return answers[gold < 0 ? 0 : static_cast<size_t>(gold)]; }
  std::string content() const;
};

// From a row. Error with its file and line.
Item make_item(const Task& task, const UpstreamRow& row, const std::string& subject, int64_t place);

struct SubjectItems {
  std::string subject;
  jinja::Text intro;
  std::vector<Item> items, pool;  // of the pool examples are taken
};

struct TaskItems {
  std::vector<SubjectItems> subjects;
  std::vector<std::string> missing;    // subjects without a file
  std::vector<std::string> malformed;  // rows that are no items, each with file, line and reason
  std::vector<UpstreamFile> files;
  int64_t size() const;
};

// Of the files below `folder`; of each subject's items the first `limit`, where that is not 0. Error when
// there is no file at all, or the files do not belong together.
TaskItems read_items(const Task& task, const std::string& folder, int64_t limit);

}  // namespace fathom
