#include "slipway/program.h"

#include <algorithm>
#include <atomic>
#include <future>
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

namespace {

// SHA-256 in a thread of its own, which ends early where nobody waits for it.
class Digest {
 public:
  explicit Digest(std::span<const std::byte> bytes)
      : digest_(std::async([this, bytes] { return hash(bytes); })) {}
  ~Digest() { is_dropped_ = true; }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  std::string get() { return digest_.get(); }

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

  std::atomic<bool> is_dropped_{false};
  std::future<std::string> digest_;
};

}  // namespace

Result<Program> Program::load(const std::string& path) {
  return guarded(path, [&]() -> Result<Program> {
    SLIPWAY_ASSIGN_OR_RETURN(const FileIdentity identity, FileIdentity::of(path));
    SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
    // Each takes about as long as the other: the reader checks every weight's checksum.
    Digest digest(file->bytes());
    SLIPWAY_ASSIGN_OR_RETURN(ir::Program program,
                             pt2::read_program(OwnedSpan{file->bytes(), file}, path));
    std::string sha256 = digest.get();
    SLIPWAY_RETURN_IF_ERROR(identity.check_unchanged());
    return Impl::make({std::move(program), identity, std::move(sha256)});
  });
}

std::string Program::to_string() const { return impl_ ? ir::print(impl_->ir) : std::string(); }

}  // namespace slipway
