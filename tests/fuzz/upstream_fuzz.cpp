// Any bytes as a data set's file, in every form: rows, rows with an error of their own, or an Error.
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "eval/upstream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  fathom::RowFormat nested, parallel, lines, named, blanks;
  nested.each = {"data", "*", "qas"};
  parallel.parallel = {"questions", "answers"};
  blanks.each = {"content"}, blanks.flat = "text", blanks.matches = {"text", "#[0-9]*#|"};
  lines.kind = "lines", lines.lines = 3;
  named.columns = {"a", "b"}, named.header = "a";
  for (const fathom::RowFormat& format : {fathom::RowFormat(), nested, parallel, lines, named, blanks})
    for (const char* path : {"a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt"}) try {
        for (const fathom::UpstreamRow& row : fathom::parse_upstream(text, path, format))
          if (row.error.empty() != row.fields.is_object()) std::abort();
      } catch (const fathom::Error&) {
      }
  return 0;
}
