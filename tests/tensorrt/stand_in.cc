// A library that claims to be the TensorRT of any version, and makes nothing.

#include <cstdint>
#include <cstdlib>

extern "C" {

int32_t getInferLibVersion() { return std::atoi(std::getenv("SLIPWAY_STAND_IN_VERSION")); }
void* createInferBuilder_INTERNAL(void*, int32_t) { return nullptr; }
// As TensorRT 11.1 without a GPU.
void* createInferRuntime_INTERNAL(void*, int32_t) { return reinterpret_cast<void*>(0x228); }

}  // extern "C"
