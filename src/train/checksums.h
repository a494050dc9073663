// checksums.json of a training checkpoint: the content hash of every tensor in it, file by file, so that a
// resumed run does not continue from damaged numbers.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "io/checkpoint.h"

namespace fathom {

constexpr const char* checksums_file = "checksums.json";

// Where all ranks read these tensors together, those that this one reads: their middle lies in its share of
// all bytes.
std::vector<size_t> tensors_of_rank(const Communicator& ranks,
                                    std::span<const SafetensorsEntry* const> tensors);

// Of every tensor one rank has the hash, and the others 0: all get it.
void sum_hashes(Communicator& ranks, std::vector<HashValue>& hashes);

void write_checksums(const std::string& dir, const FileChecksums& checksums);

// Reads every tensor: every rank calls it and takes a share of them. Error naming the file and the tensor
// that is not as it was written, or that has no checksum. A checkpoint of an earlier release has none at all,
// which is said.
void verify_checksums(Communicator& ranks, const std::string& dir, int threads);

}  // namespace fathom
