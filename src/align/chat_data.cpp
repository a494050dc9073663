#include "align/chat_data.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "align/chat_rows.h"
#include "align/chat_tools.h"
#include "align/row_windows.h"
#include "base/error.h"
#include "base/log.h"

namespace fathom {
namespace {

std::vector<int64_t> inputs_of(const TokenRows& rows, int64_t begin, int64_t end) {
  std::vector<int64_t> inputs;
  for (int64_t row = begin; row < end; ++row) inputs.push_back(rows.inputs(row));
  return inputs;
}

// The windows of rows begin .. end-1, behind those that are there.
void pack_rows(const TokenRows& rows, int64_t begin, int64_t end, int64_t room,
               std::vector<std::vector<int64_t>>& windows) {
  for (std::vector<int64_t>& window : pack_pieces(inputs_of(rows, begin, end), room)) {
    for (int64_t& row : window) row += begin;
    windows.push_back(std::move(window));
  }
}

// Reads files, each behind the other; ends[i]: rows of files 0 .. i.
std::vector<int64_t> read_files(const std::vector<std::string>& paths, const ChatEncoder& encoder,
                                const Recipe& recipe, int threads, TokenRows& rows) {
  std::vector<int64_t> ends;
  for (const std::string& path : paths) {
    ChatCounts counts;
    read_chat_rows(path, encoder, recipe, threads, rows, counts);
    counts.log(path);
    ends.push_back(rows.count());
  }
  return ends;
}

std::vector<int64_t> first_numbers(const Recipe& r, int64_t windows) {
  if (r.validation.sequences > 0) windows = std::min(windows, r.validation.sequences);
  std::vector<int64_t> numbers;
  for (int64_t w = 0; w < windows; ++w) numbers.push_back(w);
  return numbers;
}

int64_t tokens_of(const TokenRows& rows, int64_t end) {
  int64_t tokens = 0;
  for (int64_t row = 0; row < end; ++row) tokens += rows.inputs(row);
  return tokens;
}

std::unique_ptr<RowWindows> packed(TokenRows rows, int64_t room) {
  std::vector<std::vector<int64_t>> windows;
  pack_rows(rows, 0, rows.count(), room, windows);
  return std::make_unique<RowWindows>(std::move(rows), std::move(windows));
}

// The last rows, as rows of their own.
TokenRows rows_from(const TokenRows& rows, int64_t begin) {
  TokenRows rest;
  for (int64_t row = begin; row < rows.count(); ++row) {
    const auto tokens = rows.tokens(row);
    const auto weights = rows.weights(row);
    rest.add({{tokens.begin(), tokens.end()}, {weights.begin(), weights.end()}});
  }
  return rest;
}

}  // namespace

TrainingData open_chat_data(const Recipe& r, int threads) {
  const ChatTools tools(r);
  const ChatEncoder encoder(tools.tokenizer, tools.chat_template, tools.ends, r.sft.last_turn);
  const int64_t room = r.data.sequence_length;
  TokenRows rows;
  std::vector<int64_t> ends = read_files(r.data.train, encoder, r, threads, rows);

  TrainingData data;
  std::unique_ptr<RowWindows> validation;
  int64_t used = rows.count();
  if (!r.data.validation.empty()) {
    TokenRows held;
    read_files(r.data.validation, encoder, r, threads, held);
    data.own_validation = true;
    validation = packed(std::move(held), room);
  } else if (r.data.validation_fraction > 0) {
    used -= static_cast<int64_t>(std::ceil(r.data.validation_fraction * static_cast<double>(used)));
    check(used > 0, "data.validation_fraction = {:g} leaves none of {} rows to train on",
          r.data.validation_fraction, rows.count());
    validation = packed(rows_from(rows, used), room);
  }
  if (validation) {
    data.validation_places = first_numbers(r, validation->count());
    data.validation_identity = validation->rows().hash();
    data.validation = std::move(validation);
  }

  std::vector<std::vector<int64_t>> windows;
  if (r.data.weights.empty()) ends = {used};
  for (int64_t begin = 0; const int64_t end : ends) {
    const auto first = static_cast<int64_t>(windows.size());
    pack_rows(rows, begin, end, room, windows);
    data.sources.push_back({first, static_cast<int64_t>(windows.size()) - first});
    begin = end;
  }
  data.vocabulary = tools.vocabulary;
  data.tokenizer = tools.vocabulary.fingerprint;
  data.tokenizer_folder = tools.folder, data.chat_template = r.chat.chat_template;
  data.where = r.data.train.front();
  data.tokens = tokens_of(rows, used);
  data.identity = rows.hash();
  log::info("packed into {} sequences of up to {} tokens, {:.1f}% full", windows.size(), room,
            100 * static_cast<double>(data.tokens) / static_cast<double>(room) /
                static_cast<double>(windows.size()));
  data.training = std::make_unique<RowWindows>(std::move(rows), std::move(windows));
  return data;
}

}  // namespace fathom
