// Every command line that README, docs/ and quickstart print is one that the program takes, and every flag
// that they name exists.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "comm/world.h"
#include "io/file.h"
#include "support/paths.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> documents() {
  const fs::path root = testing::source_dir();
  std::vector<std::string> paths = {root / "README.md", root / "CONTRIBUTING.md", root / "quickstart"};
  for (const auto& entry : fs::directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") paths.push_back(entry.path());
  return paths;
}

std::vector<std::string> matches_of(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it)
    found.push_back((*it)[1]);
  return found;
}

// Words of a shell command; quotes are removed, a comment ends it.
std::vector<std::string> words_of(const std::string& command) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (const char c : command) {
    if (!quote && !in_word && c == '#') break;
    if (quote ? c == quote : c == '"' || c == '\'') {
      quote = quote ? 0 : c;
      if (quote && !in_word) words.emplace_back(), in_word = true;
    } else if (!quote && (c == ' ' || c == '\t')) {
      in_word = false;
    } else {
      if (!in_word) words.emplace_back(), in_word = true;
      words.back() += c;
    }
  }
  return words;
}

// The program's commands, which end before they do anything: their own callbacks stay, for they own the
// options.
std::unique_ptr<CLI::App> program_that_does_nothing() {
  static World alone;
  auto app = std::make_unique<CLI::App>();
  add_commands(*app, alone);
  for (CLI::App* command : app->get_subcommands([](CLI::App*) { return true; }))
    command->parse_complete_callback([] { throw CLI::Success(); });
  return app;
}

// The whole command lines: lines of their own (indented, after a "$ " perhaps) and code spans in running
// text.
std::vector<std::string> commands_in(const std::string& text) {
  std::vector<std::string> commands =
      matches_of(text, "(?:^|\n)(?:    )?(?:\\$ )?\\$?(fathom [a-z-]+ [^\n]*)");
  for (std::string& span : matches_of(text, "`(fathom [a-z-]+ [^`\n]*)`"))
    commands.push_back(std::move(span));
  return commands;
}

TEST(Docs, EveryCommandLineParses) {
  int count = 0;
  for (const std::string& path : documents())
    for (const std::string& command : commands_in(read_file(path))) {
      std::vector<std::string> words = words_of(command);
      if (words.size() < 2 || words[1] == "trained") continue;
      words.erase(words.begin());
      if (words.back() == "--profile") continue;  // names a flag, and is no whole command line
      std::reverse(words.begin(), words.end());
      ++count;
      try {
        program_that_does_nothing()->parse(words);
      } catch (const CLI::Success&) {
      } catch (const CLI::Error& e) {
        ADD_FAILURE() << path << ": " << command << ": " << e.what();
      }
    }
  EXPECT_GE(count, 15);
}

// Of a command and those below it.
void add_flags(const CLI::App& command, std::set<std::string>& known) {
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) known.insert("--" + name);
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; }))
    add_flags(*below, known);
}

TEST(Docs, EveryFlagExists) {
  const auto app = program_that_does_nothing();
  std::set<std::string> known = {"--help", "--sanitize", "--preset", "--build", "--version"};
  add_flags(*app, known);
  int count = 0;
  for (const std::string& path : documents())
    for (const std::string& span : matches_of(read_file(path), "`((?:--|fathom |\\./check)[^`\n]*)`"))
      for (const std::string& flag : matches_of(span, "(--[a-z][a-z0-9._-]*)")) {
        ++count;
        EXPECT_TRUE(known.contains(flag)) << path << ": " << flag;
      }
  EXPECT_GE(count, 10);
}

}  // namespace
}  // namespace fathom
