// mpi.h as C, and its errors as Error.
#pragma once
#include <mpi.h>

namespace fathom::mpi {

// Throws an Error with `what` and MPI's message unless status is success.
void mpi_check(int status, const char* what);

}  // namespace fathom::mpi
