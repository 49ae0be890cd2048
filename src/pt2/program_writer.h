// Writes a program as an archive of torch.export (docs/formats/pt2.md).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "base/mapped_file.h"
#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// How an operator is called.
struct OperatorForm {
  std::vector<std::string> parameters;  // all of them, in order; none is for keywords only
  bool gives_list = false;              // its results, which are contiguous, are one Tensor[]
};

struct WriteOptions {
  // The archive's root folder; PyTorch takes the file's stem.
  std::string root = "model";
  // Added to those of the archive that the program was read from, in place of equal names: the path
  // below extra/, and UTF-8 text.
  std::vector<std::pair<std::string, OwnedSpan>> extra_files = {};
  // Operators that neither Slipway's schemas nor the archive that was read know, by target
  // ("vendor.run_engine").
  std::map<std::string, OperatorForm> operators = {};
  // The records of custom objects that are made as they are written, by ir::Input::target, in place
  // of ir::Input::object.
  std::map<std::string, ByteSource> objects = {};
  // Of tensors that the archive that was read does not have.
  ir::Device device = {};
};

// The bytes of the archive, in the layout of torch 2.9 to 2.15: the same bytes for the same program
// and options. Its weights stay where they lie and are read as it is written; tensors that share a
// storage share a record.
//
// The program may come from read_program() and any pass after it; PyTorch runs a functional one
// after passes::for_pytorch(). What it does not hold, such as the modules that nodes belong to, is
// taken from the archive that it was read from (ir::Program::archive), by the names of nodes and
// values. Its inputs are written in PyTorch's order: tokens, parameters, buffers, constants,
// objects, and then the user's, whatever their order in the program. An object is a record of its
// own: a pickle in a zip file ("custom_obj_N") or a plain one ("opaque_obj_N").
//
// Integers that arguments need and no value holds become nodes. What an archive can't express is an
// error that names it. What was made is read again: a signature that differs is an internal error.
// The program itself is not changed. Safe to call from several threads, for different programs.
Result<ByteSource> write_program(const ir::Program& program, const WriteOptions& options = {});

}  // namespace slipway::pt2
