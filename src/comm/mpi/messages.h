// Messages between ranks that are under way together. MPI counts in int: rows beyond a limit are cut into
// several messages, by both sides alike, as the cuts depend on the number of rows and their size only.
#pragma once
#include <cstdint>
#include <vector>

#include "comm/mpi/mpi_check.h"
#include "comm/rows.h"

namespace fathom::mpi {

class Messages {
 public:
  // No message has more than message_bytes.
  Messages(MPI_Comm comm, int64_t message_bytes) : comm_(comm), message_bytes_(message_bytes) {}

  // No rows are a message too, so that a receiver who expects some finds out.
  void send(const ConstRows& rows, int to, int tag);
  void receive(const Rows& rows, int from, int tag);
  // Contiguous rows; in the order of the calls on this communicator.
  void broadcast(const Rows& rows, int root);

  // Whether all have been sent and have arrived; does not wait. An Error when one is longer or shorter than
  // expected.
  bool done();

 private:
  struct Expected {
    int from;
    int64_t bytes;  // -1: not a message to receive
  };
  MPI_Request& next(const Expected& expected);
  void check_arrivals(int result) const;

  MPI_Comm comm_;
  int64_t message_bytes_;
  std::vector<MPI_Request> requests_;
  std::vector<Expected> expected_;
  std::vector<MPI_Status> statuses_;
};

}  // namespace fathom::mpi
