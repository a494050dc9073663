#include "eval/row_matches.h"

#include "base/error.h"
#include "text/regex.h"

namespace fathom {
namespace {

class Matcher {
 public:
  explicit Matcher(const RowFormat::Matches& matches)
      : field_(matches.field), regex_(matches.pattern, "data.matches"), scratch_(most_steps) {}

  void add(const UpstreamRow& row, std::vector<UpstreamRow>& rows) {
    const auto found = row.fields.find(field_);
    check(found != row.fields.end() && found->is_string(), "{}: field '{}' must be a text", row.where,
          field_);
    const std::string text = *found;
    int number = 0;
    for (size_t at = 0; at < text.size();) {
      const std::optional<RegexMatch> match = regex_.find(text, at, scratch_);
      if (!match || match->end == match->begin) break;
      Json fields = row.fields;
      fields["before"] = text.substr(0, match->begin), fields["after"] = text.substr(match->end);
      fields["match"] = text.substr(match->begin, match->end - match->begin);
      rows.push_back({std::move(fields), fmt::format("{}/{}", row.where, number++), ""});
      at = match->end;
    }
    check(number > 0, "{}: nothing in field '{}' is like the pattern", row.where, field_);
  }

 private:
  static constexpr uint32_t most_steps = 1'000'000;
  const std::string& field_;
  Regex regex_;
  RegexScratch scratch_;
};

}  // namespace

std::vector<UpstreamRow> rows_of_matches(const RowFormat::Matches& matches,
                                         const std::vector<UpstreamRow>& rows) {
  std::vector<UpstreamRow> out;
  Matcher matcher(matches);
  for (const UpstreamRow& row : rows) {
    if (!row.error.empty()) {
      out.push_back(row);
      continue;
    }
    try {
      matcher.add(row, out);
    } catch (const Error& error) {
      out.push_back({Json(), row.where, error.what()});
    }
  }
  return out;
}

}  // namespace fathom
