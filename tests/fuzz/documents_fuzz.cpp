// Any bytes as a file of documents, once for every kind of name: read to the end or refused with an Error.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "io/documents.h"

namespace {

void write(const std::string& path, const uint8_t* data, size_t size) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(data, 1, size, file) != size) std::abort();
  std::fclose(file);
}

// With `bad`, malformed lines are left out and never an Error.
void read(const std::string& path, fathom::BadLines* bad) {
  try {
    fathom::DocumentReader documents(path, *fathom::text_format_of(path), "text", bad);
    for (std::string document; documents.next(document);) {
    }
    if (documents.consumed() > documents.total()) std::abort();
  } catch (const fathom::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string stem = "/tmp/fathom_documents_fuzz_" + std::to_string(::getpid());
  for (const char* ending : {".jsonl", ".txt", ".jsonl.zst", ".txt.zst", ".jsonl.gz", ".txt.gz"}) {
    const std::string path = stem + ending;
    write(path, data, size);
    read(path, nullptr);
    fathom::BadLines bad;
    read(path, &bad);
    ::unlink(path.c_str());
  }
  return 0;
}
