#include "tensorrt/stand_in_gpu.h"

namespace slipway::tensorrt {
namespace {

// to[i] = a * from[i] + b for i < count, a thread an element: a and b are of double precision in
// the first kernel, whose elements are float32, and of int64 like the elements in the second.
constexpr const char* kKernels = R"(
.version 7.0
.target sm_75
.address_size 64

.visible .entry line_float32(.param .u64 to, .param .u64 from, .param .u64 count, .param .f64 a,
                             .param .f64 b) {
  .reg .pred %done;
  .reg .b32 %block, %threads, %thread;
  .reg .b64 %i, %n, %p, %q;
  .reg .f32 %x;
  .reg .f64 %y, %s, %t;
  mov.u32 %block, %ctaid.x;
  mov.u32 %threads, %ntid.x;
  mov.u32 %thread, %tid.x;
  cvt.u64.u32 %p, %thread;
  mad.wide.u32 %i, %block, %threads, %p;
  ld.param.u64 %n, [count];
  setp.ge.u64 %done, %i, %n;
  @%done ret;
  ld.param.u64 %p, [from];
  ld.param.u64 %q, [to];
  cvta.to.global.u64 %p, %p;
  cvta.to.global.u64 %q, %q;
  shl.b64 %i, %i, 2;
  add.u64 %p, %p, %i;
  add.u64 %q, %q, %i;
  ld.global.f32 %x, [%p];
  cvt.f64.f32 %y, %x;
  ld.param.f64 %s, [a];
  ld.param.f64 %t, [b];
  mul.rn.f64 %y, %y, %s;
  add.rn.f64 %y, %y, %t;
  cvt.rn.f32.f64 %x, %y;
  st.global.f32 [%q], %x;
  ret;
}

.visible .entry line_int64(.param .u64 to, .param .u64 from, .param .u64 count, .param .u64 a,
                           .param .u64 b) {
  .reg .pred %done;
  .reg .b32 %block, %threads, %thread;
  .reg .b64 %i, %n, %p, %q, %x, %s, %t;
  mov.u32 %block, %ctaid.x;
  mov.u32 %threads, %ntid.x;
  mov.u32 %thread, %tid.x;
  cvt.u64.u32 %p, %thread;
  mad.wide.u32 %i, %block, %threads, %p;
  ld.param.u64 %n, [count];
  setp.ge.u64 %done, %i, %n;
  @%done ret;
  ld.param.u64 %p, [from];
  ld.param.u64 %q, [to];
  cvta.to.global.u64 %p, %p;
  cvta.to.global.u64 %q, %q;
  shl.b64 %i, %i, 3;
  add.u64 %p, %p, %i;
  add.u64 %q, %q, %i;
  ld.global.u64 %x, [%p];
  ld.param.u64 %s, [a];
  ld.param.u64 %t, [b];
  mad.lo.s64 %x, %x, %s, %t;
  st.global.u64 [%q], %x;
  ret;
}
)";

}  // namespace

uint64_t allocate(size_t size, bool* ok) {
  unsigned long long address = 0;
  *ok = size == 0 ||
        driver<int (*)(unsigned long long*, size_t)>("cuMemAlloc_v2")(&address, size) == 0;
  return address;
}
void release(uint64_t address) {
  if (address == 0) return;
  if (driver<int (*)(unsigned long long)>("cuMemFree_v2")(address) != 0) std::abort();
}
bool is_on_device(const void* address) {
  unsigned type = 0;
  int attribute = 2;
  void* value = &type;
  const int code =
      driver<int (*)(unsigned, int*, void**, unsigned long long)>("cuPointerGetAttributes")(
          1, &attribute, &value, reinterpret_cast<unsigned long long>(address));
  return code == 0 && type == 2;
}

bool is_readable(const void* address) {
  int device = 0;
  int integrated = 0;
  return is_on_device(address) ||
         (driver<int (*)(int*, int)>("cuDeviceGet")(&device, 0) == 0 &&
          driver<int (*)(int*, int, int)>("cuDeviceGetAttribute")(&integrated, 18, device) == 0 &&
          integrated != 0);
}

Kernels::~Kernels() {
  if (module_ != nullptr) driver<int (*)(void*)>("cuModuleUnload")(module_);
}

bool Kernels::load() {
  const auto read = driver<int (*)(void**, const void*)>("cuModuleLoadData");
  if (read == nullptr) return true;
  const auto find = driver<int (*)(void**, void*, const char*)>("cuModuleGetFunction");
  return read(&module_, kKernels) == 0 && find(&float32_, module_, "line_float32") == 0 &&
         find(&int64_, module_, "line_int64") == 0;
}

bool Kernels::launch(bool is_float, const void* from, void* to, size_t count, double a, double b,
                     void* stream) const {
  if (count == 0) return true;
  constexpr unsigned kThreads = 256;
  auto whole_a = static_cast<int64_t>(a);
  auto whole_b = static_cast<int64_t>(b);
  void* arguments[] = {&to, &from, &count, is_float ? static_cast<void*>(&a) : &whole_a,
                       is_float ? static_cast<void*>(&b) : &whole_b};
  static const auto start =
      driver<int (*)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                     void*, void**, void**)>("cuLaunchKernel");
  return start(is_float ? float32_ : int64_, static_cast<unsigned>((count - 1) / kThreads + 1), 1,
               1, kThreads, 1, 1, 0, stream, arguments, nullptr) == 0;
}

}  // namespace slipway::tensorrt
