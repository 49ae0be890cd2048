#include "slipway/program.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/guard.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "compile/program_impl.h"
#include "ir/program.h"
#include "pt2/program_reader.h"

namespace slipway {

// In a thread of its own, which ends early where nobody waits for it.
class Digest {
 public:
  explicit Digest(std::shared_ptr<const MappedFile> file)
      : file_(std::move(file)), digest_(std::async([this] { return hash(file_->bytes()); })) {}
  ~Digest() { is_dropped_ = true; }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  std::string get() const { return digest_.get(); }

 private:
  std::string hash(std::span<const std::byte> bytes) const {
    constexpr size_t kPiece = size_t{16} << 20;
    Sha256 sha256;
    while (!bytes.empty() && !is_dropped_) {
      const auto piece = bytes.first(std::min(bytes.size(), kPiece));
      sha256.update(piece);
      bytes = bytes.subspan(piece.size());
    }
    return sha256.hex();
  }

  std::shared_ptr<const MappedFile> file_;
  std::atomic<bool> is_dropped_{false};
  std::shared_future<std::string> digest_;
};

Result<Program> Program::load(const std::string& path) {
  return guarded(path, [&]() -> Result<Program> {
    SLIPWAY_ASSIGN_OR_RETURN(const FileIdentity identity, FileIdentity::of(path));
    SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
    auto digest = std::make_shared<Digest>(file);
    SLIPWAY_ASSIGN_OR_RETURN(ir::Program program,
                             pt2::read_program(OwnedSpan{file->bytes(), file}, path));
    SLIPWAY_RETURN_IF_ERROR(identity.check_unchanged());
    return Impl::make({std::move(program), identity, std::move(digest)});
  });
}

std::string Program::Impl::source_sha256() const { return digest->get(); }

std::string Program::to_string() const { return impl_ ? ir::print(impl_->ir) : std::string(); }

}  // namespace slipway
