// checksums.json of a training checkpoint: the content hash of every tensor in it, file by file, so that a
// resumed run does not continue from damaged numbers.
#pragma once
#include <string>

#include "comm/communicator.h"
#include "io/checkpoint.h"

namespace fathom {

constexpr const char* checksums_file = "checksums.json";

void write_checksums(const std::string& dir, const FileChecksums& checksums);

// Reads every tensor: every rank calls it and takes a share of them. Error naming the file and the tensor
// that is not as it was written, or that has no checksum. A checkpoint of an earlier release has none at all,
// which is said.
void verify_checksums(Communicator& ranks, const std::string& dir, int threads);

}  // namespace fathom
