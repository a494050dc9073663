#include "cli/parse_errors.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "base/nearest.h"

namespace fathom {
namespace {

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// "mt-bench" of `fathom judge mt-bench`.
const CLI::App& chosen_command(const CLI::App& app) {
  const std::vector<CLI::App*> below = app.get_subcommands();
  return below.empty() ? app : chosen_command(*below[0]);
}

std::string unknown_flag(const CLI::App& command, const std::string& argument) {
  const std::string flag = argument.substr(0, argument.find('='));
  const std::vector<std::string> known = flags_of(command);
  if (std::find(known.begin(), known.end(), flag) != known.end())
    return fmt::format("{} must come after the command {}", flag, command.get_name());
  return "unknown flag " + flag + did_you_mean(flag, known);
}

std::string unknown_command(const CLI::App& app, const std::vector<std::string>& left_over) {
  std::vector<std::string> commands;
  std::string list;
  for (const CLI::App* command : app.get_subcommands({})) {
    commands.push_back(command->get_name());
    list += (list.empty() ? "" : ", ") + command->get_name();
  }
  if (left_over.empty()) return "no command is given; the commands are " + list;
  const std::string hint = did_you_mean(left_over[0], commands);
  return fmt::format("unknown command '{}'{}", left_over[0],
                     hint.empty() ? "; the commands are " + list : hint);
}

// What a command cannot do without, and was not given.
std::string missing_options(const CLI::App& command) {
  std::string list;
  for (const CLI::Option* option : command.get_options())
    if (option->get_required() && option->count() == 0) {
      std::string name = option->get_name();
      if (option->get_positional()) std::transform(name.begin(), name.end(), name.begin(), ::toupper);
      list += fmt::format("{}{} ({})", list.empty() ? "" : " and ", name, option->get_description());
    }
  if (list.empty())
    for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; }))
      list += (list.empty() ? "one of its commands: " : ", ") + below->get_name();
  return list;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string wrong_number_of_values(const CLI::App& command, const std::string& message) {
  std::string name = message.substr(0, message.find_first_of(": "));
  if (!name.starts_with('-')) name = "--" + name;
  const CLI::Option* option = command.get_option_no_throw(name);
  if (!option) return message;
  if (option->get_expected_max() == 0) return name + " takes no value";
  return option->count() > 1 ? name + " is given more than once" : name + " needs a value";
}

}  // namespace

std::string explain_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> left_over = app.remaining(true);
  const CLI::App& command = chosen_command(app);
  for (const std::string& argument : left_over)
    if (argument.size() > 1 && argument[0] == '-') return unknown_flag(command, argument);
  if (&command == &app) return unknown_command(app, left_over);

  const std::string message = error.what(), name = command.get_name();
  if (dynamic_cast<const CLI::RequiredError*>(&error)) return name + " needs " + missing_options(command);
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error)) return wrong_number_of_values(command, message);
  if (dynamic_cast<const CLI::RequiresError*>(&error)) return replaced(message, " requires ", " needs ");
  if (dynamic_cast<const CLI::ExcludesError*>(&error))
    return replaced(message, " excludes ", " and ") + " cannot be given together";
  if (dynamic_cast<const CLI::ExtrasError*>(&error) && !left_over.empty())
    return fmt::format("{}: unexpected argument '{}'", name, left_over[0]);
  return message;
}

}  // namespace fathom
