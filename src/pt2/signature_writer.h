// What the inputs and outputs of a program's graph stand for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "ir/program.h"
#include "pt2/archive_source.h"
#include "pt2/argument_writer.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// Whether its data are among parameters and persistent buffers, rather than constants.
bool is_in_state(const ir::Input& input);

// The entries of the program's signature in PyTorch's order: tokens, parameters, buffers,
// constants, objects, and then the user's.
std::vector<const ir::Input*> ordered_inputs(const ir::Program& program);

// The names that whatever has data or is an object gets: those of the program, as far as each is
// one of its own. What a pass made is renamed where another has its name, or lies in a module of
// that name; so is a constant of a program that was read from no archive.
std::map<const ir::Input*, std::string> target_names(const ir::Program& program,
                                                     const ArchiveSource& source);

// {"input_specs": [...], "output_specs": [...]}
Status write_signature(const ir::Program& program, const std::vector<const ir::Input*>& inputs,
                       const std::map<const ir::Input*, std::string>& targets, NameTable& names,
                       const ArgumentWriter& arguments, JsonWriter& json);

}  // namespace slipway::pt2
