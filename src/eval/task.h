// A task: how a data set becomes prompts, what is asked of the model, and how its answers are scored. A task
// is a TOML file with Jinja templates (docs/evaluation.md lists its keys); a new one needs no code. In
// templates the fields of a row are variables, with `subject` beside them; a field that a row lacks is an
// error there.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sampling.h"
#include "eval/metric.h"
#include "eval/text_template.h"
#include "eval/upstream.h"

namespace fathom {

enum class TaskForm {
  choice,    // the likeliest of some answers
  generate,  // what the model writes
  text,      // bits per byte of documents
};

// Which rows of a pool stand before an item as examples.
enum class ShotChoice {
  first,        // the first ones
  random,       // a draw by task and seed, the same for all items
  random_each,  // a draw by task, seed and item
};

struct Task {
  std::string name, description;
  int64_t version = 1;
  bool chat = false;  // asked in the chat form always
  TaskForm form = TaskForm::choice;
  std::string source;  // the file, for its hash
  std::string where;   // for errors

  // Files below the data folder; the first pattern that names a file counts. {subject} stands for a subject,
  // * for anything in a file's name.
  struct Data {
    std::vector<std::string> items, shots;
    bool several = false;  // all the files that the pattern fits, not one
    // A file of which a line is the field `beside` of an item's row, or, by `beside_key`, what a JSON object
    // has under that key.
    std::vector<std::string> beside;
    TextTemplate beside_key;
    RowFormat format;
    std::vector<std::string> subjects;  // all that there are; none: one file
    // Rows of which they write True belong to another split: they are left out, of items and of examples.
    TextTemplate skip_items, skip_shots;
  } data;

  struct Prompt {
    TextTemplate intro;                   // once, before the examples
    std::vector<std::string> intro_file;  // a file that stands there instead
    std::string intro_after;              // of that file only what follows this text
    TextTemplate item;                    // of each example and of the item
    TextTemplate answer;                  // of an example; with choices it is the right one
    std::string delimiter = " ";          // between an item and its answer
    std::string between = "\n\n";         // behind each example
    bool truncate_left = false;           // prompts that are too long without examples lose their beginning
  } prompt;

  struct Shots {
    int64_t count = 0;
    ShotChoice choice = ShotChoice::first;
  } shots;

  struct Choices {
    ListTemplate texts;          // the answers; none: the labels are
    ListTemplate labels;         // by which `gold` may name one; none: A, B, C, ...
    ListTemplate contexts;       // prompts, one for each answer, in place of prompt.item (WinoGrande)
    TextTemplate gold;           // a label, or the number of an answer from 0 on
    TextTemplate unconditional;  // the prompt of the metric `unconditional`
    bool letters = false;        // the answers are their labels
  } choices;

  struct Generation {
    std::vector<std::string> stop;
    int64_t max_tokens = 256, samples = 1;
    SamplingParameters sampling;
    std::vector<int64_t> pass_at, majority_of;
  } generation;

  // Further variables, made of a row's fields.
  std::vector<std::pair<std::string, TextTemplate>> fields;
  TextTemplate id, cluster, document;
  int64_t window = 2048;  // tokens of a document that are predicted in one context, of text tasks
  std::vector<ChoiceMetric> choice_metrics;
  std::vector<AnswerMetric> answer_metrics;
  std::vector<std::pair<std::string, std::vector<std::string>>> categories;  // of subjects
};

// Error naming file and key for what is unknown, missing or impossible.
Task parse_task(const std::string& toml, const std::string& where);

// The tasks that the program brings along, by name.
std::vector<std::string> task_names();
// By name, or from a file whose name ends in .toml. Error with the nearest name for an unknown one.
Task task_named(const std::string& name_or_file);

}  // namespace fathom
