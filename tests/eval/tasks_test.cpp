// Every task that the program brings along, on a sample of our own in the form of its upstream files: what
// the model would be shown is what tests/eval/previews/ has.
#include "eval/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "base/error.h"
#include "eval/prompt_preview.h"
#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

const std::string eval_tests = source_dir() + "/tests/eval/";

class ShippedTask : public ::testing::TestWithParam<std::string> {};

// Of every item, without the files' paths and hashes.
std::string previews(const Task& task, const TaskItems& data) {
  std::string all;
  for (const SubjectItems& subject : data.subjects)
    for (const Item& item : subject.items) all += prompt_preview(task, data, item.id, /*seed=*/1, nullptr);
  return std::regex_replace(std::regex_replace(all, std::regex("(^|\n)file [^\n]*"), "$1"),
                            std::regex(" of /[^\n]*/samples/"), " of ");
}

TEST_P(ShippedTask, ShowsWhatItsSampleSays) {
  Task task = task_named(GetParam());
  task.shots.count = std::min<int64_t>(task.shots.count, 2);
  if (task.name == "mbpp") task.shots.count = 3;
  if (task.name == "cmrc") task.shots.count = 1;
  const TaskItems data = read_items(task, eval_tests + "samples", 0);
  EXPECT_TRUE(data.malformed.empty()) << data.malformed[0];
  const std::string path = eval_tests + "previews/" + GetParam() + ".txt", shown = previews(task, data);
  if (std::getenv("FATHOM_WRITE_PREVIEWS")) write_file(path, shown);
  EXPECT_EQ(shown, read_file(path));
}

// Names and versions are those of the files; the paper's numbers of examples.
TEST_P(ShippedTask, IsNamedAsItsFile) {
  const Task task = task_named(GetParam());
  EXPECT_EQ(task.name, GetParam());
  EXPECT_FALSE(task.description.empty());
}

INSTANTIATE_TEST_SUITE_P(All, ShippedTask, ::testing::ValuesIn(task_names()),
                         [](const auto& info) { return info.param; });

// Upstream's own files, as far as they are there: every row is an item, every right answer equals itself.
TEST_P(ShippedTask, ReadsUpstreamsFiles) {
  const char* folder = std::getenv("FATHOM_EVAL_DATA");
  if (!folder) GTEST_SKIP() << "FATHOM_EVAL_DATA is not set: it names a folder with the data sets' files";
  Task task = task_named(GetParam());
  TaskItems data;
  try {
    data = read_items(task, folder, 0);
  } catch (const Error& error) {
    if (std::string(error.what()).find("no file") != std::string::npos) GTEST_SKIP() << error.what();
    throw;
  }
  RecordProperty("items", static_cast<int>(data.size()));
  EXPECT_TRUE(data.malformed.empty()) << data.malformed.size() << " such as " << data.malformed[0];
}

TEST(TaskCatalog, NamesTheNearest) {
  try {
    task_named("hellaswga");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("unknown task 'hellaswga': did you mean hellaswag?"));
  }
}

struct WrongFile {
  std::string change, with, error;
};

const std::string good = R"(
name = "one"
[data]
items = ["a.jsonl"]
shots = ["b.jsonl"]
[prompt]
item = "{{ q }}"
[shots]
count = 2
[choices]
texts = "{{ c | tojson }}"
gold = "{{ g }}"
)";

TEST(TaskFile, SaysWhatIsWrong) {
  EXPECT_EQ(parse_task(good, "one.toml").shots.count, 2);
  const std::vector<WrongFile> wrong = {
      {"name = \"one\"", "name = \"a,b\"", "one.toml: needs a name"},
      {"[shots]", "[shoots]", "unknown key 'shoots': did you mean shots?"},
      {"count = 2", "cuont = 2", "one.toml: [shots]: unknown key 'cuont': did you mean count?"},
      {"count = 2", "count = -1", "key 'count' must be at least 0, got -1"},
      {"shots = [\"b.jsonl\"]", "", "shots need data.shots"},
      {"item = \"{{ q }}\"", "", "needs either prompt.item or choices.contexts"},
      {"gold = \"{{ g }}\"", "", "[choices] needs gold"},
      {"gold = \"{{ g }}\"", "gold = \"{{ g }}\"\nmetrics = [\"char\"]",
       "unknown metric 'char': did you mean chars?"},
      {"{{ q }}", "{{ q", "key 'item', line 1"},
      {"name", "form = \"chioce\"\nname", "unknown form 'chioce': did you mean choice?"},
      {"items = [\"a.jsonl\"]", "items = [\"{subject}.jsonl\"]",
       "needs subjects exactly where items has {subject}"},
      {"count = 2", "count = ", "one.toml:9"},
      {"[prompt]", "[data.matches]\nfield = \"q\"\n[prompt]", "[data.matches] needs field and pattern"},
      {"[prompt]", "[data.matches]\nfield = \"q\"\npattern = \"(\"\n[prompt]", "key 'pattern'"},
  };
  for (const WrongFile& w : wrong) {
    std::string text = good;
    text.replace(text.find(w.change), w.change.size(), w.with);
    try {
      parse_task(text, "one.toml");
      ADD_FAILURE() << w.error;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(w.error));
    }
  }
}

// A metric's name is one score: of every subject, by one metric.
TEST(TaskFile, DividesSubjectsAmongMetrics) {
  const auto task = [](const std::string& metrics) {
    return parse_task(R"(
name = "one"
form = "generate"
[data]
items = ["{subject}.jsonl"]
subjects = ["a", "b", "c"]
[prompt]
item = "q"
)" + metrics,
                      "one.toml");
  };
  const auto metric = [](const std::string& subjects) {
    return "[[metric]]\nname = \"m\"\nkey = [\"k\"]\n" +
           (subjects.empty() ? "" : "subjects = " + subjects + "\n");
  };
  const Task two = task(metric("") + metric("[\"b\"]"));
  EXPECT_TRUE(two.answer_metrics[0].asks("a") && two.answer_metrics[0].asks("c"));
  EXPECT_FALSE(two.answer_metrics[0].asks("b"));
  EXPECT_TRUE(task(metric("")).answer_metrics[0].asks("b"));
  const auto error = [&](const std::string& metrics) { return error_of([&] { task(metrics); }); };
  EXPECT_THAT(error(metric("") + metric("")), HasSubstr("two metrics are named 'm'"));
  EXPECT_THAT(error(metric("[\"a\", \"b\"]") + metric("[\"b\", \"c\"]")), HasSubstr("for subject b"));
  EXPECT_THAT(error(metric("[\"a\", \"b\"]")), HasSubstr("metric m is not asked of every subject"));
  EXPECT_THAT(error(metric("[\"d\"]") + metric("")), HasSubstr("metric m names 'd', which is no subject"));
  EXPECT_THAT(error(metric("[\"a\", \"b\", \"c\"]") + metric("")), HasSubstr("is asked of no subject"));
}

}  // namespace
}  // namespace fathom::testing
