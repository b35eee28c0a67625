// The floating-point control word inside compiled calls: round to nearest, no traps, subnormals kept (layer calls)
// or flushed to zero (training plans). Restored on leaving, flags included. The calls themselves, and a team's workers, keep
// the flags as they were, whatever else they compute.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <cstdint>

namespace chainrule::runtime {

enum class Subnormals { keep, flush };

class FloatingPointState {
  public:
#if defined(__x86_64__)
    explicit FloatingPointState(Subnormals mode) : saved_(_mm_getcsr()) {
        constexpr unsigned masked = 0x1f80, flush_to_zero = 0x8000, denormals_are_zero = 0x0040;
        _mm_setcsr(mode == Subnormals::keep ? masked : masked | flush_to_zero | denormals_are_zero);
    }
    ~FloatingPointState() { _mm_setcsr(saved_); }

  private:
    unsigned saved_;
#elif defined(__aarch64__)
    explicit FloatingPointState(Subnormals mode) {
        constexpr std::uint64_t flush_to_zero = std::uint64_t(1) << 24;
        asm volatile("mrs %0, fpcr" : "=r"(saved_));
        const std::uint64_t wanted = mode == Subnormals::keep ? 0 : flush_to_zero;
        asm volatile("msr fpcr, %0" : : "r"(wanted));
    }
    ~FloatingPointState() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }

  private:
    std::uint64_t saved_;
#else
    explicit FloatingPointState(Subnormals) {}
#endif

  public:
    FloatingPointState(const FloatingPointState&) = delete;
    FloatingPointState& operator=(const FloatingPointState&) = delete;
};

// The flags (inexact, overflow, ...) on leaving are those on entering.
class FloatingPointFlags {
  public:
#if defined(__x86_64__)
    FloatingPointFlags() : saved_(_mm_getcsr()) {}
    ~FloatingPointFlags() { _mm_setcsr(saved_); }

  private:
    unsigned saved_;
#elif defined(__aarch64__)
    FloatingPointFlags() { asm volatile("mrs %0, fpsr" : "=r"(saved_)); }
    ~FloatingPointFlags() { asm volatile("msr fpsr, %0" : : "r"(saved_)); }

  private:
    std::uint64_t saved_;
#else
    FloatingPointFlags() {}
#endif

  public:
    FloatingPointFlags(const FloatingPointFlags&) = delete;
    FloatingPointFlags& operator=(const FloatingPointFlags&) = delete;
};

}  // namespace chainrule::runtime
