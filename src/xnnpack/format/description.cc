#include "xnnpack/format/description.h"

#include "xnnpack/format/graph.h"

namespace slipway::xnnpack {

const engine::Description kDescription = {
    .name = "xnnpack",
    .title = "XNNPACK",
    .backend = "XnnpackBackend",
    .library = "libexecutorch_backend_xnnpack.so",
    .remedy =
        "put it beside libexecutorch.so; ExecuTorch's wheel for Python has it (`pip download "
        "executorch==1.5.1`, in executorch/lib)",
    .check_blob = check_graph,
};

}  // namespace slipway::xnnpack
