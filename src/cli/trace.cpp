#include "cli/trace.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <vector>

#include "comm/agreement.h"
#include "comm/launcher.h"
#include "io/file.h"
#include "io/json.h"
#include "train/rank_times.h"

namespace fathom {
namespace {

constexpr int work_track = 1;

// The events of one rank as text, each on a line of its own.
class RankEvents {
 public:
  // `shift` seconds after the trace begins this rank's profile does.
  RankEvents(int rank, double shift) : rank_(rank), shift_(shift) {}

  void name_process(const std::string& name) {
    add({{"name", "process_name"}, {"ph", "M"}, {"args", {{"name", name}}}});
    add({{"name", "process_sort_index"}, {"ph", "M"}, {"args", {{"sort_index", rank_}}}});
  }
  void name_track(int track, const std::string& name) {
    add({{"name", "thread_name"}, {"ph", "M"}, {"tid", track}, {"args", {{"name", name}}}});
    add({{"name", "thread_sort_index"}, {"ph", "M"}, {"tid", track}, {"args", {{"sort_index", track}}}});
  }
  template <class Timed>
  void span(int track, const char* category, const std::string& name, const Timed& t,
            const Json& args = Json::object()) {
    add({{"name", name},
         {"cat", category},
         {"ph", "X"},
         {"tid", track},
         {"ts", (t.begin + shift_) * 1e6},
         {"dur", t.seconds * 1e6},
         {"args", args}});
  }
  const std::string& text() const { return text_; }

 private:
  void add(Json event) {
    event["pid"] = rank_;
    if (!text_.empty()) text_ += ",\n";
    text_ += event.dump();
  }

  int rank_;
  double shift_;
  std::string text_;
};

// Several collectives may be under way at a time: each goes to the first track of its kind that is free.
// Begins with track `next`.
void add_transfers(RankEvents& events, ExchangeKind kind, std::vector<Profile::Transfer> transfers,
                   int& next) {
  std::erase_if(transfers, [&](const Profile::Transfer& t) {
    return kind_of(t.collective) != kind || t.begin + t.seconds < 0;  // done before the profile began
  });
  for (Profile::Transfer& t : transfers)
    if (t.begin < 0) t.seconds += t.begin, t.begin = 0;  // it was under way when the profile began
  std::stable_sort(transfers.begin(), transfers.end(),
                   [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::vector<double> ends;  // of each track's last one
  for (const Profile::Transfer& t : transfers) {
    const auto free = std::find_if(ends.begin(), ends.end(), [&](double end) { return end <= t.begin; });
    const auto lane = static_cast<int>(free - ends.begin());
    if (free == ends.end()) {
      events.name_track(next + lane, std::string("communication: ") + name_of(kind));
      ends.push_back(0);
    }
    ends[static_cast<size_t>(lane)] = t.begin + t.seconds;
    events.span(next + lane, "transfer", t.collective, t, {{"bytes", t.bytes}});
  }
  next += static_cast<int>(ends.size());
}

// Parts stand before what they hold.
void add_profile(RankEvents& events, const std::string& title, Profile& profile) {
  events.name_track(work_track, "computation");
  events.span(work_track, "part", title, Profile::Part{title, 0, profile.seconds()});
  for (const Profile::Part& p : profile.parts()) events.span(work_track, "part", p.name, p);
  for (const Profile::Call& c : profile.calls())
    events.span(work_track, "op", c.op, c, {{"bytes", c.bytes}, {"operations", c.operations}});
  for (const Profile::Wait& w : profile.waits())
    events.span(work_track, "wait", std::string("wait: ") + w.collective, w);
  int next = work_track + 1;
  for (const ExchangeKind kind : exchange_kinds) add_transfers(events, kind, profile.transfers(), next);
}

}  // namespace

void write_trace(const std::string& path, const std::string& title, Profile& profile, Communicator& ranks,
                 const ClockOffset& clock) {
  const double own_begin =
      std::chrono::duration<double>(profile.host_begin().time_since_epoch()).count() + clock.seconds;
  double latest = -own_begin;  // negative: what is reduced is the largest
  ranks.host().run(AllReduce{.x = Tensor(&latest, DType::f64, {1}), .reduction = Reduction::max});
  const std::string process =
      fmt::format("rank {} on {} (clock +-{:.0f} us)", ranks.rank(), host_name(), clock.error * 1e6);
  RankEvents events(ranks.rank(), own_begin + latest);
  events.name_process(process);
  add_profile(events, title, profile);

  std::optional<AtomicFile> file;
  if (ranks.rank() == 0) file.emplace(path), file->write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
  int last = 0;
  pass_texts(ranks, events.text(), [&](int rank, std::string_view piece) {
    if (rank != last) file->write(",\n");
    last = rank;
    file->write(piece);
  });
  if (file) file->write("\n]}\n"), file->commit();
}

}  // namespace fathom
