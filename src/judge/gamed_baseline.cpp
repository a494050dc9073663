#include "judge/gamed_baseline.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/parse_number.h"
#include "io/csv.h"

namespace fathom {
namespace {

size_t column_named(const std::vector<std::string>& header, const std::string& name,
                    const std::string& path) {
  const auto found = std::find(header.begin(), header.end(), name);
  check(found != header.end(), "{}: no column '{}'; df_gamed.csv of AlpacaEval has it", path, name);
  return static_cast<size_t>(found - header.begin());
}

}  // namespace

GamedBaseline read_gamed_baseline(const std::string& path, int64_t instructions) {
  CsvReader csv(path, ',');
  std::vector<std::string> header, fields;
  check(csv.next(header), "{}: the file is empty", path);
  const size_t index = column_named(header, "index", path),
               length = column_named(header, "std_delta_len", path),
               difficulty = column_named(header, "instruction_difficulty", path),
               preference = column_named(header, "preference", path);
  GamedBaseline gamed;
  gamed.difficulty.assign(static_cast<size_t>(instructions), std::numeric_limits<double>::quiet_NaN());
  while (csv.next(fields)) {
    const std::string where = fmt::format("{}:{}", path, csv.line_number());
    check(fields.size() == header.size(), "{}: {} fields, the header has {}", where, fields.size(),
          header.size());
    GamedRow row;
    row.index = parse_number<int64_t>(where + ": index", fields[index], {.low = 0, .high = instructions - 1});
    row.length_difference = parse_number<double>(where + ": std_delta_len", fields[length]);
    if (!fields[preference].empty())
      row.preference =
          parse_number<double>(where + ": preference", fields[preference], {.low = 0, .high = 1});
    double& known = gamed.difficulty[static_cast<size_t>(row.index)];
    const double here = parse_number<double>(where + ": instruction_difficulty", fields[difficulty]);
    if (std::isnan(known)) known = here;
    gamed.rows.push_back(row);
  }
  for (int64_t i = 0; i < instructions; ++i)
    check(!std::isnan(gamed.difficulty[static_cast<size_t>(i)]),
          "{}: no row has the index {}, of {} instructions", path, i, instructions);
  return gamed;
}

}  // namespace fathom
