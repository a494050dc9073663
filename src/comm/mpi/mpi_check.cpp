#include "comm/mpi/mpi_check.h"

#include <string>

#include "base/error.h"

namespace fathom::mpi {

void mpi_check(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(status, text, &length);
  fail("MPI: {} failed: {}", what, std::string(text, static_cast<size_t>(length)));
}

}  // namespace fathom::mpi
