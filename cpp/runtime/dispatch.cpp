#include "runtime/dispatch.hpp"

#include <cstdlib>
#include <stdexcept>

extern "C" {
extern const chainrule::Target chainrule_target_baseline;
#if defined(CHAINRULE_HAS_x86_64_v3)
extern const chainrule::Target chainrule_target_x86_64_v3;
#endif
#if defined(CHAINRULE_HAS_x86_64_v4)
extern const chainrule::Target chainrule_target_x86_64_v4;
#endif
}

namespace chainrule::runtime {
namespace {

// Of the levels only GCC 12 and Clang 18 know the names; before that it is what they are told apart by.
#if defined(__x86_64__)
#if (defined(__clang__) && __clang_major__ < 18) || (!defined(__clang__) && __GNUC__ < 12)
[[maybe_unused]] bool has_v3() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}
[[maybe_unused]] bool has_v4() {
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
[[maybe_unused]] bool has_v3() { return __builtin_cpu_supports("x86-64-v3"); }
[[maybe_unused]] bool has_v4() { return __builtin_cpu_supports("x86-64-v4"); }
#endif
#endif

std::vector<const Target*> supported() {
    std::vector<const Target*> list = {&chainrule_target_baseline};
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
#if defined(CHAINRULE_HAS_x86_64_v3)
    if (has_v3()) list.push_back(&chainrule_target_x86_64_v3);
#endif
#if defined(CHAINRULE_HAS_x86_64_v4)
    if (has_v4()) list.push_back(&chainrule_target_x86_64_v4);
#endif
    return list;
}

const Target& choose() {
    const std::vector<const Target*> list = supported();
    const char* forced = std::getenv("CHAINRULE_TARGET");
    if (!forced || !*forced) return *list.back();
    std::string names;
    for (const Target* target : list) {
        if (target->name == std::string(forced)) return *target;
        names += (names.empty() ? "" : ", ") + std::string(target->name);
    }
    throw std::runtime_error("CHAINRULE_TARGET: expected one of " + names + ", got '" + forced + "'");
}

}  // namespace

const Target& target() {
    static const Target& chosen = choose();
    return chosen;
}

std::vector<std::string> available_targets() {
    std::vector<std::string> names;
    for (const Target* one : supported()) names.emplace_back(one->name);
    return names;
}

}  // namespace chainrule::runtime
