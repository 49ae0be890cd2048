// Other delegates of this one's name in a process.
#include <cstdlib>
#include <dlfcn.h>

#include "base/shared_library.h"
#include "runtime/other_delegate_test.h"
#include "tensorrt/delegate/delegate_test.h"
#include "tensorrt/format/description.h"

namespace slipway::tensorrt {
namespace {

// In a process of its own, because what is registered stays.
TEST(Registration, AnotherDelegateOfThisNameIsNamed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        runtime::initialize_platform();
        runtime::OtherDelegate other;
        bool as_wanted = et::register_backend({kBackend, &other}) == et::Error::Ok;
        const Status refused = runtime::require_backend(kBackend);
        const std::string file = "/tensorrt_delegate_stand_in_test, and not by Slipway's ";
        as_wanted =
            as_wanted && !refused.ok() && refused.error().message().find(file) != std::string::npos;
        const runtime::LogCapture log;
        as_wanted = as_wanted && open_library(kDescription.library, "").ok() &&
                    et::get_backend_class(kBackend) == &other;
        const std::string said = runtime::first_reason(log.text());
        as_wanted =
            as_wanted &&
            said.find("TensorRTBackend: it is registered already, by ") != std::string::npos &&
            said.find("libslipway_tensorrt.so is not used") != std::string::npos;
        std::exit(as_wanted ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace slipway::tensorrt
