// What mpirun launches: `fathom train` with a profile, its table and the one trace of all ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "io/json.h"
#include "support/mpirun.h"
#include "train/small_run.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

constexpr double us = 1e-3;  // of rounding in a trace's numbers, which are microseconds

struct Event {
  std::string name, category;
  double begin, end;  // us
  double bytes;
};
using Track = std::vector<Event>;
using Process = std::map<int, Track>;  // by track

struct Trace {
  std::map<int, Process> ranks;
  std::map<int, std::string> names;  // of processes
  std::map<std::pair<int, int>, std::string> tracks;

  explicit Trace(const std::string& path) {
    const Json trace = read_json(path);
    for (const Json& e : trace["traceEvents"]) {
      const int rank = e["pid"].get<int>();
      if (e["ph"] == "M" && e["name"] == "process_name") names[rank] = e["args"]["name"];
      if (e["ph"] == "M" && e["name"] == "thread_name") tracks[{rank, e["tid"]}] = e["args"]["name"];
      if (e["ph"] != "X") continue;
      const double begin = e["ts"], duration = e["dur"];
      EXPECT_GE(duration, 0) << e;
      const double bytes = e["cat"] == "transfer" ? e["args"]["bytes"].get<double>() : 0;
      ranks[rank][e["tid"]].push_back({e["name"], e["cat"], begin, begin + duration, bytes});
    }
  }
  Track of(int rank, const std::string& category) const {
    Track all;
    for (const auto& [tid, track] : ranks.at(rank))
      for (const Event& e : track)
        if (e.category == category) all.push_back(e);
    return all;
  }
};

// An event lies within another or beside it.
void expect_nesting(Track track, bool may_nest, const std::string& where) {
  std::stable_sort(track.begin(), track.end(), [](const Event& a, const Event& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::vector<Event> open;
  for (const Event& e : track) {
    while (!open.empty() && open.back().end <= e.begin + us) open.pop_back();
    if (!open.empty()) {
      EXPECT_TRUE(may_nest && open.back().category == "part" && e.end <= open.back().end + us)
          << where << ": " << e.name << " from " << e.begin << " to " << e.end << " and " << open.back().name
          << " from " << open.back().begin << " to " << open.back().end;
    }
    open.push_back(e);
  }
}

double length_of_union(Track spans) {
  std::sort(spans.begin(), spans.end(), [](const Event& a, const Event& b) { return a.begin < b.begin; });
  double length = 0, until = -1e300;
  for (const Event& e : spans) {
    length += std::max(0.0, e.end - std::max(e.begin, until));
    until = std::max(until, e.end);
  }
  return length;
}

// A row of the table: rank, host, step, computing, exchanging, ..., bubble.
struct Row {
  std::string host;
  double step, computing, waited, beside, bubble;
};
std::map<std::string, Row> rows_of(const std::string& printed) {
  std::map<std::string, Row> rows;
  std::istringstream lines(printed.substr(printed.find("ms of each rank")));
  std::string line, heading;
  std::getline(lines, line), std::getline(lines, heading);
  EXPECT_THAT(heading, HasSubstr("exchanging"));
  while (std::getline(lines, line) && line.find('%') != std::string::npos &&
         line.find('+') != std::string::npos) {
    std::istringstream cells(line);
    std::string rank, cell, last;
    Row row{};
    cells >> rank;
    if (rank != "least" && rank != "most") cells >> row.host;
    char plus = 0, percent = 0;
    cells >> row.step >> row.computing >> row.waited >> plus >> row.beside;
    while (cells >> cell) last = cell;
    std::istringstream(last) >> row.bubble >> percent;
    EXPECT_EQ(percent, '%') << line;
    rows[rank] = row;
  }
  return rows;
}

// One profiled run of two stages of two expert ranks.
class TrainProfile : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!FATHOM_WITH_MPI || !has_mpirun()) return;
    small_ = std::make_unique<SmallRun>();
    run_ = run_shell(mpirun(ranks, fathom_train(*small_, "out",
                                                {{"profile", path()},
                                                 {"parallel.pipeline", "2"},
                                                 {"parallel.expert", "2"},
                                                 {"batch.sequences", "8"},
                                                 {"schedule.steps", "3"}})));
  }
  static void TearDownTestSuite() { small_.reset(); }
  void SetUp() override {
    FATHOM_NEEDS_MPIRUN();
    ASSERT_EQ(run_.exit_code, 0) << run_.err;
  }

  static constexpr int ranks = 4;
  static std::string path() { return small_->path("trace.json"); }
  static inline std::unique_ptr<SmallRun> small_;
  static inline Outcome run_;
};

TEST_F(TrainProfile, IsOneTraceAndOneTableOfAllRanks) {
  EXPECT_EQ(count(run_.err, "training step 3, ms of each rank"), 1) << run_.err;
  EXPECT_EQ(count(run_.err, "all ops"), 1) << "rank 0's ops: " << run_.err;
  const Trace trace(path());
  ASSERT_EQ(trace.ranks.size(), static_cast<size_t>(ranks));
  std::map<std::string, Row> rows = rows_of(run_.err);
  ASSERT_EQ(rows.size(), static_cast<size_t>(ranks) + 2) << run_.err;
  double most = 0;
  for (int r = 0; r < ranks; ++r) {
    const Row& row = rows[std::to_string(r)];
    EXPECT_THAT(trace.names.at(r), HasSubstr("rank " + std::to_string(r) + " on " + row.host));
    EXPECT_EQ(trace.tracks.at({r, 1}), "computation");
    most = std::max(most, row.waited);
    for (const auto& [tid, track] : trace.ranks.at(r))
      expect_nesting(track, tid == 1, trace.names.at(r) + ", " + trace.tracks.at({r, tid}));
  }
  EXPECT_EQ(rows["most"].waited, most);

  // The table says of the trace's spans what they are.
  constexpr double printed = 0.011;  // ms, of two numbers rounded to 0.01
  for (int r = 0; r < ranks; ++r) {
    const Row& row = rows[std::to_string(r)];
    const Track parts = trace.of(r, "part"), waits = trace.of(r, "wait");
    const auto step =
        std::find_if(parts.begin(), parts.end(), [](const Event& e) { return e.name == "training step 3"; });
    ASSERT_NE(step, parts.end());
    EXPECT_NEAR(step->end - step->begin, row.step * 1e3, printed * 1e3);
    EXPECT_NEAR(length_of_union(trace.of(r, "op")), row.computing * 1e3, printed * 1e3);
    EXPECT_NEAR(length_of_union(waits), row.waited * 1e3, printed * 1e3);
    Track communication = waits;
    for (Event e : trace.of(r, "transfer")) {
      e.begin = std::max(e.begin, step->begin), e.end = std::min(e.end, step->end);
      if (e.begin < e.end) communication.push_back(e);
    }
    EXPECT_NEAR(length_of_union(communication), (row.waited + row.beside) * 1e3, 2 * printed * 1e3);
    Track neighbours;
    for (const Event& e : waits)
      if (e.name == "wait: send" || e.name == "wait: receive") neighbours.push_back(e);
    EXPECT_NEAR(100 * length_of_union(neighbours) / (step->end - step->begin), row.bubble, 0.06);
    EXPECT_GT(row.bubble, 0);
  }
}

// On one time line nothing arrives before it was sent: the totals of a step, the longest all-reduce, end
// nowhere before the last rank has come.
TEST_F(TrainProfile, HasOneTimeLine) {
  const Trace trace(path());
  double last_begin = -1e300, first_end = 1e300;
  for (int r = 0; r < ranks; ++r) {
    Track all = trace.of(r, "transfer");
    std::erase_if(all, [](const Event& e) { return e.name != "all-reduce"; });
    const auto totals = std::max_element(all.begin(), all.end(),
                                         [](const Event& a, const Event& b) { return a.bytes < b.bytes; });
    ASSERT_NE(totals, all.end());
    last_begin = std::max(last_begin, totals->begin), first_end = std::min(first_end, totals->end);
  }
  double error = 0;  // of the clocks, as the names of the ranks tell
  for (const auto& [rank, name] : trace.names) {
    const size_t at = name.find("+-");
    ASSERT_NE(at, std::string::npos) << name;
    error = std::max(error, std::stod(name.substr(at + 2)) + 1);
  }
  EXPECT_LT(last_begin, first_end + 2 * error);
}

TEST_F(TrainProfile, ShowsPassesOfAllMicroBatches) {
  const Trace trace(path());
  for (int r = 0; r < ranks; ++r) {
    std::vector<std::string> names;
    for (const Event& e : trace.of(r, "part")) names.push_back(e.name);
    for (const char* pass : {"forward 0", "input gradient 1", "weight gradient 1"})
      EXPECT_EQ(std::count(names.begin(), names.end(), pass), 1) << pass << " on rank " << r;
  }
}

TEST(TrainProfileFlag, MustBeTheSameOnAllRanks) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  const Outcome run =
      run_shell(mpirun(1, fathom_train(small, "out", {{"profile", small.path("trace.json")}})) + " : -n 1 " +
                fathom_train(small, "out"));
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("--profile is not the same on all ranks"));
}

TEST(TrainProfileFlag, OneProcessHasNoTableOfRanks) {
  const SmallRun small;
  const std::string trace = small.path("trace.json");
  const Outcome run = run_shell(fathom_train(small, "out", {{"profile", trace}, {"schedule.steps", "3"}}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(count(run.err, "of each rank"), 0) << run.err;
  EXPECT_EQ(count(run.err, "all ops"), 1) << run.err;
  EXPECT_TRUE(Trace(trace).of(0, "transfer").empty());
}

}  // namespace
}  // namespace fathom::testing
