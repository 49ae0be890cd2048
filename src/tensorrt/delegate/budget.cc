#include "tensorrt/delegate/budget.h"

#include <atomic>
#include <numeric>

#include "base/error.h"
#include "base/try.h"
#include "cuda/options/options.h"
#include "tensorrt/delegate/refuse.h"
#include "tensorrt/format/description.h"

namespace slipway::tensorrt {
namespace {

namespace et = executorch::runtime;

// Of engines that neither a load option nor the file has one for. Any thread may set it.
std::atomic<int64_t> default_budget{-1};

}  // namespace

Result<std::optional<Budget>> budget_of_options(et::ArrayRef<et::BackendOption> options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto own, cuda::bytes_of(options, kBudgetOption, kTitle));
  SLIPWAY_ASSIGN_OR_RETURN(const auto total, cuda::bytes_of(options, kTotalOption, kTitle));
  if (own && total) {
    return invalid_file("the load options {} and {} are both there: give one", kBudgetOption,
                        kTotalOption);
  }
  if (own) return std::optional(Budget{Budget::Kind::kEngine, *own});
  if (total) return std::optional(Budget{Budget::Kind::kTotal, *total});
  return std::optional<Budget>();
}

Result<Budget> requested_budget(const et::BackendInitContext& context,
                                et::ArrayRef<et::CompileSpec> specs, bool knows_program) {
  // The file's are read in any case: a wrong one is an error of the file, whatever the option says.
  SLIPWAY_ASSIGN_OR_RETURN(const auto stored, cuda::bytes_of(specs, kBudgetOption));
  SLIPWAY_ASSIGN_OR_RETURN(const auto total, cuda::bytes_of(specs, kTotalOption));
  const auto given = context.runtime_specs();
  SLIPWAY_ASSIGN_OR_RETURN(const auto option, budget_of_options({given.data(), given.size()}));
  if (option && option->kind == Budget::Kind::kTotal && !knows_program) {
    return invalid_file(
        "the load option {} is for Slipway's own runtime: here each engine is loaded by itself, "
        "and {} is for each",
        kTotalOption, kBudgetOption);
  }
  if (option) return *option;
  if (total && knows_program) return Budget{Budget::Kind::kTotal, *total};
  if (stored) return Budget{Budget::Kind::kEngine, *stored};
  const int64_t otherwise = default_budget;
  return otherwise >= 0 ? Budget{Budget::Kind::kEngine, otherwise} : Budget();
}

std::vector<int64_t> split_budget(int64_t total, std::span<const int64_t> most) {
  __extension__ using Wide = __int128;
  const Wide all = std::accumulate(most.begin(), most.end(), Wide{0});
  std::vector<int64_t> shares(most.begin(), most.end());
  if (total >= all) return shares;
  for (int64_t& share : shares) share = static_cast<int64_t>(Wide{total} * share / all);
  return shares;
}

}  // namespace slipway::tensorrt

int slipway_tensorrt_set_default_budget(const char* digits) {
  const auto budget =
      digits == nullptr ? std::optional<int64_t>(-1) : slipway::cuda::parse_bytes(digits);
  if (!budget) return 1;
  slipway::tensorrt::default_budget = *budget;
  return 0;
}
