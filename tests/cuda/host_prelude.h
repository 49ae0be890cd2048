// What a kernel's source finds in CUDA C++ without any header, for the host's compiler. The
// stand-in for NVIDIA's driver (host_kernels.cc) runs the kernels: the blocks one after the other,
// and the threads of a block as if at once. It has no headers itself, so that thousands of small
// sources compile fast.
#pragma once

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// One block runs at a time, and a process runs one kernel at a time.
#define __shared__ static
#define warpSize 32

struct SlipwayEnvironment {
  unsigned thread[3];
  unsigned block[3];
  unsigned block_size[3];
  unsigned grid_size[3];
  void* shared;
  void (*wait_for_block)();
  void (*wait_for_warp)(unsigned mask);
};
extern "C" {
__attribute__((visibility("default"))) SlipwayEnvironment slipway_environment;
}

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
};
#define threadIdx (reinterpret_cast<const uint3&>(slipway_environment.thread))
#define blockIdx (reinterpret_cast<const uint3&>(slipway_environment.block))
#define blockDim (reinterpret_cast<const dim3&>(slipway_environment.block_size))
#define gridDim (reinterpret_cast<const dim3&>(slipway_environment.grid_size))

#define SLIPWAY_VECTOR(type, name)                                          \
  struct __align__(2 * sizeof(type)) name##2 {                              \
    type x, y;                                                              \
  };                                                                        \
  struct __align__(4 * sizeof(type) > 16 ? 16 : 4 * sizeof(type)) name##4 { \
    type x, y, z, w;                                                        \
  };                                                                        \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }          \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
SLIPWAY_VECTOR(float, float)
SLIPWAY_VECTOR(int, int)
SLIPWAY_VECTOR(unsigned, uint)
#undef SLIPWAY_VECTOR

// Of the C library, which the compiler declares by itself.
#define SLIPWAY_MATH_1(name)                \
  extern "C" double name(double) noexcept;  \
  extern "C" float name##f(float) noexcept; \
  inline float name(float x) { return name##f(x); }
#define SLIPWAY_MATH_2(name)                       \
  extern "C" double name(double, double) noexcept; \
  extern "C" float name##f(float, float) noexcept; \
  inline float name(float x, float y) { return name##f(x, y); }
SLIPWAY_MATH_1(acos)
SLIPWAY_MATH_1(acosh)
SLIPWAY_MATH_1(asin)
SLIPWAY_MATH_1(asinh)
SLIPWAY_MATH_1(atan)
SLIPWAY_MATH_1(atanh)
SLIPWAY_MATH_1(cbrt)
SLIPWAY_MATH_1(ceil)
SLIPWAY_MATH_1(cos)
SLIPWAY_MATH_1(cosh)
SLIPWAY_MATH_1(erf)
SLIPWAY_MATH_1(erfc)
SLIPWAY_MATH_1(exp)
SLIPWAY_MATH_1(exp2)
SLIPWAY_MATH_1(expm1)
SLIPWAY_MATH_1(fabs)
SLIPWAY_MATH_1(floor)
SLIPWAY_MATH_1(j0)
SLIPWAY_MATH_1(j1)
SLIPWAY_MATH_1(lgamma)
SLIPWAY_MATH_1(log)
SLIPWAY_MATH_1(log10)
SLIPWAY_MATH_1(log1p)
SLIPWAY_MATH_1(log2)
SLIPWAY_MATH_1(logb)
SLIPWAY_MATH_1(nearbyint)
SLIPWAY_MATH_1(rint)
SLIPWAY_MATH_1(round)
SLIPWAY_MATH_1(sin)
SLIPWAY_MATH_1(sinh)
SLIPWAY_MATH_1(sqrt)
SLIPWAY_MATH_1(tan)
SLIPWAY_MATH_1(tanh)
SLIPWAY_MATH_1(tgamma)
SLIPWAY_MATH_1(trunc)
SLIPWAY_MATH_1(y0)
SLIPWAY_MATH_1(y1)
SLIPWAY_MATH_2(atan2)
SLIPWAY_MATH_2(copysign)
SLIPWAY_MATH_2(fdim)
SLIPWAY_MATH_2(fmax)
SLIPWAY_MATH_2(fmin)
SLIPWAY_MATH_2(fmod)
SLIPWAY_MATH_2(hypot)
SLIPWAY_MATH_2(nextafter)
SLIPWAY_MATH_2(pow)
SLIPWAY_MATH_2(remainder)
#undef SLIPWAY_MATH_1
#undef SLIPWAY_MATH_2
extern "C" {
double fma(double, double, double) noexcept;
float fmaf(float, float, float) noexcept;
double ldexp(double, int) noexcept;
float ldexpf(float, int) noexcept;
double frexp(double, int*) noexcept;
float frexpf(float, int*) noexcept;
double modf(double, double*) noexcept;
float modff(float, float*) noexcept;
int abs(int) noexcept;
long long llabs(long long) noexcept;
long long llrint(double) noexcept;
long long llrintf(float) noexcept;
}
inline float fma(float x, float y, float z) { return fmaf(x, y, z); }
inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }
inline long long abs(long long x) { return llabs(x); }
inline float rsqrtf(float x) { return 1.0f / __builtin_sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
template <class T>
inline bool isnan(T x) {
  return __builtin_isnan(x);
}
template <class T>
inline bool isinf(T x) {
  return __builtin_isinf(x);
}
template <class T>
inline bool isfinite(T x) {
  return __builtin_isfinite(x);
}
template <class T>
inline bool signbit(T x) {
  return __builtin_signbit(x);
}
#define SLIPWAY_EXTREMES(type)                              \
  inline type max(type a, type b) { return a < b ? b : a; } \
  inline type min(type a, type b) { return b < a ? b : a; }
SLIPWAY_EXTREMES(int)
SLIPWAY_EXTREMES(unsigned)
SLIPWAY_EXTREMES(long)
SLIPWAY_EXTREMES(unsigned long)
SLIPWAY_EXTREMES(long long)
SLIPWAY_EXTREMES(unsigned long long)
#undef SLIPWAY_EXTREMES
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline double max(double a, double b) { return __builtin_fmax(a, b); }
inline double min(double a, double b) { return __builtin_fmin(a, b); }

// Rounded as they are written.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline int __float2int_rn(float x) { return static_cast<int>(__builtin_rintf(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }

template <class To, class From>
inline To slipway_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
inline int __float_as_int(float x) { return slipway_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return slipway_bits<unsigned>(x); }
inline float __int_as_float(int x) { return slipway_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return slipway_bits<float>(x); }
inline long long __double_as_longlong(double x) { return slipway_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return slipway_bits<double>(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
template <class T>
inline T __ldg(const T* from) {
  return *from;
}

// The threads of a block give way to each other where they wait, and nowhere else.
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __syncthreads() { slipway_environment.wait_for_block(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { slipway_environment.wait_for_warp(mask); }

template <class T>
struct SlipwaySame {
  using Type = T;
};
#define SLIPWAY_ATOMIC(name, result)                          \
  template <class T>                                          \
  inline T name(T* at, typename SlipwaySame<T>::Type value) { \
    const T before = *at;                                     \
    *at = result;                                             \
    return before;                                            \
  }
SLIPWAY_ATOMIC(atomicAdd, before + value)
SLIPWAY_ATOMIC(atomicSub, before - value)
SLIPWAY_ATOMIC(atomicMax, before < value ? value : before)
SLIPWAY_ATOMIC(atomicMin, value < before ? value : before)
SLIPWAY_ATOMIC(atomicAnd, before& value)
SLIPWAY_ATOMIC(atomicOr, before | value)
SLIPWAY_ATOMIC(atomicXor, before ^ value)
SLIPWAY_ATOMIC(atomicExch, value)
#undef SLIPWAY_ATOMIC
template <class T>
inline T atomicCAS(T* at, typename SlipwaySame<T>::Type expected,
                   typename SlipwaySame<T>::Type value) {
  const T before = *at;
  if (before == expected) *at = value;
  return before;
}

// Each lane leaves its value for the others of its warp.
inline unsigned slipway_thread() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}
template <class T>
inline T slipway_exchange(unsigned mask, T value, unsigned source) {
  static T left[1024];
  const unsigned own = slipway_thread();
  left[own] = value;
  __syncwarp(mask);
  const unsigned from = own / 32 * 32 + source;
  const T got = from < blockDim.x * blockDim.y * blockDim.z ? left[from] : value;
  __syncwarp(mask);
  return got;
}
template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const unsigned lane = slipway_thread() % 32;
  const auto w = static_cast<unsigned>(width);
  return slipway_exchange(mask, value, lane / w * w + static_cast<unsigned>(source) % w);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned lane = slipway_thread() % 32;
  const auto w = static_cast<unsigned>(width);
  return slipway_exchange(mask, value, lane % w + by < w ? lane + by : lane);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned lane = slipway_thread() % 32;
  const auto w = static_cast<unsigned>(width);
  return slipway_exchange(mask, value, lane % w >= by ? lane - by : lane);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32) {
  const unsigned lane = slipway_thread() % 32;
  const auto w = static_cast<unsigned>(width);
  const unsigned other = lane ^ static_cast<unsigned>(with);
  return slipway_exchange(mask, value, other / w == lane / w ? other : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    const int vote = __shfl_sync(mask, predicate != 0 ? 1 : 0, static_cast<int>(lane));
    if ((mask >> lane & 1) != 0 && vote != 0) votes |= 1u << lane;
  }
  return votes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) {
  return (__ballot_sync(mask, predicate) & mask) == mask;
}
inline int __syncthreads_or(int predicate) {
  static int any;
  __syncthreads();
  any = 0;
  __syncthreads();
  any |= predicate;
  __syncthreads();
  return any;
}

// A kernel as cuLaunchKernel() calls it: with the addresses of its arguments.
template <unsigned... I>
struct SlipwayIndices {};
template <unsigned N, unsigned... I>
struct SlipwayCount : SlipwayCount<N - 1, N - 1, I...> {};
template <unsigned... I>
struct SlipwayCount<0, I...> {
  using Type = SlipwayIndices<I...>;
};
template <class... A, unsigned... I>
inline void slipway_call_with(void (*kernel)(A...), void** arguments, SlipwayIndices<I...>) {
  kernel(*static_cast<A*>(arguments[I])...);
}
template <class... A>
inline void slipway_call_kernel(void (*kernel)(A...), void** arguments) {
  slipway_call_with(kernel, arguments, typename SlipwayCount<sizeof...(A)>::Type());
}
template <class... A>
constexpr unsigned long slipway_count(void (*)(A...)) {
  return sizeof...(A);
}
#define SLIPWAY_HOST_KERNEL(kernel)                                                        \
  extern "C" __attribute__((visibility("default"))) void slipway_call_##kernel(void** a) { \
    slipway_call_kernel(&kernel, a);                                                       \
  }                                                                                        \
  extern "C" __attribute__((visibility("default")))                                        \
  const unsigned long slipway_call_##kernel##_arguments = slipway_count(&kernel);
