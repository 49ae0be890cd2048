// Parameters, buffers, constants and custom objects, as an archive stores them.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "base/byte_source.h"
#include "base/json_writer.h"
#include "ir/program.h"
#include "pt2/archive_source.h"
#include "pt2/program_writer.h"
#include "pt2/zip_writer.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// One folder of records and the configuration that names them. Tensors of one type whose storage
// lies in one place share a record. Not thread-safe.
class PayloadWriter {
 public:
  // `folder` is such as "data/weights/", `prefix` what its tensors' records begin with, and
  // `config` the name of its configuration.
  PayloadWriter(std::string folder, std::string prefix, std::string config)
      : folder_(std::move(folder)), prefix_(std::move(prefix)), config_(std::move(config)) {
    json_.begin_object().key("config").begin_object();
  }

  // What of a tensor its data do not say.
  struct Properties {
    bool is_parameter = false;
    bool requires_grad = false;
    ir::Device device = {};
  };
  void add_tensor(const std::string& name, const ir::ConstantData& data,
                  const Properties& properties, ZipWriter& zip);
  // The record is a zip file with a pickle, or a plain pickle.
  void add_object(const std::string& name, const ByteSource& record, ZipWriter& zip);
  // After all else.
  void finish(ZipWriter& zip);

 private:
  std::string folder_;
  std::string prefix_;
  std::string config_;
  JsonWriter json_;
  // By where a storage lies, its size and its elements' type.
  std::map<std::tuple<const std::byte*, size_t, DType>, std::string> records_;
  int objects_ = 0;
  int opaque_objects_ = 0;
};

// Adds the data of all inputs, and what else the archive stores that was read, as far as it shares
// no storage with what the program does without. `targets` are the inputs' names in the archive.
void write_payloads(const ir::Program& program,
                    const std::map<const ir::Input*, std::string>& targets,
                    const ArchiveSource& source, const WriteOptions& options, ZipWriter& zip);

}  // namespace slipway::pt2
