// Watch: finds the rank for which all others wait in vain, because it hangs, was stopped or lost its network.
// A rank that has waited for too long asks the others; those that wait themselves answer while they wait.
// Whoever does not is at fault. The launcher notices ranks that have died.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "comm/mpi/mpi_check.h"

namespace fathom::mpi {

class Watch {
 public:
  using Clock = std::chrono::steady_clock;

  // `hosts` has the name of each rank's. Every rank calls it.
  Watch(double seconds, std::vector<std::string> hosts);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void begin_wait();
  // From within the wait, as often as one likes: answers others; after `seconds` it asks, and some seconds
  // later an Error names the ranks that have not answered. look() does so at few of its calls.
  void look();
  void look_now();

 private:
  struct Word {
    int32_t answer;  // 0: a question
    int32_t number;  // of the question
  };
  struct Sent {
    Word word;
    MPI_Request request;
  };

  void send(const Word& word, int to);
  void receive();
  void ask();
  [[noreturn]] void name_the_missing();

  const double seconds_, grace_;
  const std::vector<std::string> hosts_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  unsigned looks_ = 0;
  bool first_look_ = true;  // of this wait
  bool asked_ = false;
  int32_t question_ = 0;
  Clock::time_point begin_, last_look_, asked_at_;
  std::vector<bool> answered_;
  std::deque<Sent> sent_;  // MPI reads them until they have left
};

}  // namespace fathom::mpi
