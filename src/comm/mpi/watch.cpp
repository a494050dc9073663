#include "comm/mpi/watch.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include "base/error.h"

namespace fathom::mpi {
namespace {

constexpr int tag = 0;
constexpr double look_seconds = 0.05;
constexpr unsigned looks_between_clocks = 256;
constexpr std::chrono::seconds patience(10);

double seconds_between(Watch::Clock::time_point from, Watch::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Watch::Watch(double seconds, std::vector<std::string> hosts)
    : seconds_(seconds), grace_(std::clamp(seconds / 10, 2.0, 10.0)), hosts_(std::move(hosts)) {
  mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &comm_), "making a group for the watch");
  mpi_check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "choosing how errors are told");
  mpi_check(MPI_Comm_rank(comm_, &rank_), "asking for the rank");
  mpi_check(MPI_Comm_size(comm_, &size_), "asking for the number of ranks");
  begin_ = last_look_ = asked_at_ = Clock::now();
}

// Questions that were answered late may be left; they go with the process.
Watch::~Watch() {
  if (std::uncaught_exceptions() == 0) MPI_Comm_free(&comm_);
}

void Watch::begin_wait() {
  first_look_ = true, asked_ = false;
  looks_ = 0;
}

void Watch::look() {
  if (looks_++ % looks_between_clocks == 0) look_now();
}

void Watch::look_now() {
  const Clock::time_point now = Clock::now();
  const bool first = std::exchange(first_look_, false);
  if (first) begin_ = now;
  if (seconds_between(last_look_, now) < look_seconds) return;
  // This process was stopped itself, or its machine was: the others have had no time to answer.
  const bool slept = !first && seconds_between(last_look_, now) > grace_;
  last_look_ = now;
  if (slept) begin_ = now, asked_ = false;
  receive();
  if (!asked_ && seconds_between(begin_, now) >= seconds_) ask();
  if (asked_ && seconds_between(asked_at_, now) >= grace_) name_the_missing();
}

void Watch::send(const Word& word, int to) {
  std::erase_if(sent_, [](Sent& s) {
    int done = 0;
    return MPI_Test(&s.request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done;
  });
  Sent& sent = sent_.emplace_back(Sent{word, MPI_REQUEST_NULL});
  mpi_check(MPI_Isend(&sent.word, sizeof(Word), MPI_BYTE, to, tag, comm_, &sent.request), "asking a rank");
}

void Watch::receive() {
  for (;;) {
    int there = 0;
    MPI_Status status;
    mpi_check(MPI_Iprobe(MPI_ANY_SOURCE, tag, comm_, &there, &status), "looking for questions");
    if (!there) return;
    Word word{};
    mpi_check(MPI_Recv(&word, sizeof word, MPI_BYTE, status.MPI_SOURCE, tag, comm_, MPI_STATUS_IGNORE),
              "receiving a question");
    if (!word.answer)
      send({1, word.number}, status.MPI_SOURCE);
    else if (asked_ && word.number == question_)
      answered_[status.MPI_SOURCE] = true;
  }
}

void Watch::ask() {
  asked_ = true;
  asked_at_ = Clock::now();
  answered_.assign(size_, false);
  answered_[rank_] = true;
  ++question_;
  for (int r = 0; r < size_; ++r)
    if (r != rank_) send({0, question_}, r);
}

// One rank speaks, the lowest that is there. The others do so only if its end has not ended them: the
// launcher may be busy with a host that it does not reach.
void Watch::name_the_missing() {
  const auto speaker = std::find(answered_.begin(), answered_.end(), true) - answered_.begin();
  for (const auto end = Clock::now() + patience; rank_ != speaker && Clock::now() < end;) {
    receive();
    std::this_thread::sleep_for(std::chrono::duration<double>(look_seconds));
  }
  std::string missing;
  for (int r = 0; r < size_; ++r)
    if (!answered_[r]) missing += fmt::format("{}rank {} on {}", missing.empty() ? "" : ", ", r, hosts_[r]);
  check(!missing.empty(),
        "all ranks have waited for one another for {:g} s: they do not do the same, or a GPU of theirs hangs",
        seconds_);
  fail(
      "waited for {:g} s in vain for {}: it hangs, was stopped or cannot be reached, or "
      "parallel.hang_seconds is "
      "too short for what it does",
      seconds_, missing);
}

}  // namespace fathom::mpi
