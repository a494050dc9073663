// Any bytes as a Parquet file: rows, or refused with an Error.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/parquet_rows.h"

namespace {

void read(const std::string& path, const std::vector<std::string>& columns) {
  try {
    fathom::ParquetRows rows(path, columns);
    constexpr int most_rows = 2000;  // a few bytes may stand for any number of rows
    fathom::Json row;
    for (int n = 0; n < most_rows && rows.next(row); ++n)
      if (!row.is_object()) std::abort();
    if (rows.consumed() > rows.total()) std::abort();
  } catch (const fathom::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = "/tmp/fathom_parquet_fuzz_" + std::to_string(::getpid()) + ".parquet";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(data, 1, size, file) != size) std::abort();
  std::fclose(file);
  read(path, {});
  read(path, {"text"});
  ::unlink(path.c_str());
  return 0;
}
