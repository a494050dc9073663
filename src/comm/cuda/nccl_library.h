// The functions of NCCL in use, loaded at run time: the program also starts where the library is not
// installed.
#pragma once
#include <nccl.h>

namespace fathom::cuda {

struct NcclLibrary {
  decltype(&ncclGetVersion) version;
  decltype(&ncclGetErrorString) error_text;
  decltype(&ncclGetLastError) last_error;
  decltype(&ncclGetUniqueId) unique_id;
  decltype(&ncclCommInitRank) init;
  decltype(&ncclCommSplit) split;
  decltype(&ncclCommUserRank) rank;
  decltype(&ncclCommCount) count;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclCommGetAsyncError) async_error;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclReduce) reduce;
  decltype(&ncclReduceScatter) reduce_scatter;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclBroadcast) broadcast;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) receive;

  // An Error when it is not installed, or too old.
  static NcclLibrary load();
  // Throws an Error with `what` and NCCL's message unless status is success.
  void expect(ncclResult_t status, const char* what) const;
};

}  // namespace fathom::cuda
