// The table of operator cases as make_cases.py wrote it: programs, inputs, and what PyTorch
// computed from them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "pt2/zip_reader.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway::conformance {

struct Case {
  std::string name;
  // What floating-point results may differ by, absolutely and relatively.
  double tolerance = 0;
  nlohmann::json runs;  // each {"inputs": [...], "outputs": [...]}, for CaseArchive::values
};

// Not synchronised.
class CaseArchive {
 public:
  static Result<CaseArchive> open(const std::string& path);

  const std::vector<Case>& cases() const { return cases_; }
  // The exported program, a `.pt2` archive.
  Result<OwnedSpan> program(const Case& test) { return read(test.name + ".pt2"); }
  Result<std::vector<Value>> values(const nlohmann::json& descriptions);

 private:
  explicit CaseArchive(pt2::ZipReader zip) : zip_(std::move(zip)) {}

  // Each entry is inflated once, however many engines run it: what a reader inflates is bounded.
  Result<OwnedSpan> read(const std::string& name);

  pt2::ZipReader zip_;
  std::map<std::string, OwnedSpan> entries_;
  std::vector<Case> cases_;
};

}  // namespace slipway::conformance
