// The methods of a .pte file with their engines built, before the file is laid out.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compile/artefact.h"
#include "engine/tuning.h"
#include "ir/program.h"
#include "pte/emitter/emitter.h"
#include "slipway/compile.h"
#include "slipway/program.h"
#include "slipway/result.h"

namespace slipway {

using NamedPrograms = std::vector<std::pair<std::string, const Program*>>;

class BuiltMethods {
 public:
  static Result<BuiltMethods> build(const NamedPrograms& methods, const CompileOptions& options);

  const std::vector<pte::Method>& methods() const { return methods_; }
  // The whole file, with its engines in it, to be run here.
  Result<PieceList> emit() const;
  // The file that the options ask for, and the one with the engines where they are outside of it;
  // the last thing that is done with what was built.
  Status finish(const CompileOptions& options, std::optional<engine::Tuning> tuning,
                Artefact::Impl& artefact) &&;

 private:
  BuiltMethods() = default;
  std::vector<engine::Engine*> engines();  // variants, too

  std::vector<ir::Program> programs_;  // of methods_
  std::vector<pte::Method> methods_;
};

}  // namespace slipway
