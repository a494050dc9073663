#include "data/screen_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/progress.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// Malformed bytes become U+FFFD, so that any text can stand in JSON.
std::string valid_utf8(std::string_view text) {
  std::string out;
  for (;;) {
    const size_t valid = valid_utf8_prefix(text);
    out += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) return out;
    out += replacement_character;
    text.remove_prefix(std::max<size_t>(malformed_utf8_prefix(text), 1));
  }
}

// Safe on a terminal: no control characters, no line ends.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

OrderedJson count_to_json(const ScreenReport::Count& count) {
  return {{"documents", count.documents}, {"bytes", count.bytes}};
}

}  // namespace

std::string text_begin(std::string_view text) {
  constexpr size_t most = 160;
  size_t end = std::min(text.size(), most);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return valid_utf8(text.substr(0, end));
}

OrderedJson dropped_to_json(const DroppedDocument& d) {
  return {{"place", valid_utf8(d.place)},
          {"reason", d.reason},
          {"detail", valid_utf8(d.detail)},
          {"begin", d.begin}};
}

OrderedJson report_to_json(const ScreenReport& report) {
  OrderedJson json = {{"kept", count_to_json(report.kept)}, {"dropped", OrderedJson::object()}};
  for (const auto& [reason, count] : report.dropped) {
    OrderedJson& entry = json["dropped"][reason] = count_to_json(count);
    entry["samples"] = OrderedJson::array();
    for (const DroppedDocument& sample : count.samples) entry["samples"].push_back(dropped_to_json(sample));
  }
  json["evaluation_texts"] = report.evaluation_texts;
  json["evaluation_texts_too_short"] = report.evaluation_too_short;
  return json;
}

std::string report_text(const ScreenReport& report) {
  std::string table, samples;
  int64_t documents = report.kept.documents, bytes = report.kept.bytes;
  for (const auto& [reason, count] : report.dropped) documents += count.documents, bytes += count.bytes;
  const auto row = [&](std::string_view name, const ScreenReport::Count& count) {
    table += fmt::format(
        "  {:32}{:>12}{:>8.2f}%  {:>10}\n", name, count.documents,
        100.0 * static_cast<double>(count.documents) / static_cast<double>(std::max<int64_t>(1, documents)),
        human_bytes(static_cast<double>(count.bytes)));
  };
  row("documents", {documents, bytes, {}});
  for (const auto& [reason, count] : report.dropped) {
    row(reason, count);
    for (const DroppedDocument& d : count.samples)
      samples +=
          fmt::format("{}: {}, {}: {}\n", d.place, reason, one_line(valid_utf8(d.detail)), one_line(d.begin));
  }
  row("kept", report.kept);
  if (report.evaluation_texts > 0)
    table += fmt::format("  {} evaluation texts, {} of them too short to be looked for\n",
                         report.evaluation_texts, report.evaluation_too_short);
  return table + samples;
}

}  // namespace fathom
