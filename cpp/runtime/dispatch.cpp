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

std::vector<const Target*> supported() {
    std::vector<const Target*> list = {&chainrule_target_baseline};
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
#if defined(CHAINRULE_HAS_x86_64_v3)
    if (__builtin_cpu_supports("x86-64-v3")) list.push_back(&chainrule_target_x86_64_v3);
#endif
#if defined(CHAINRULE_HAS_x86_64_v4)
    if (__builtin_cpu_supports("x86-64-v4")) list.push_back(&chainrule_target_x86_64_v4);
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
