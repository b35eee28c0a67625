#include "runtime/caches.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace chainrule::runtime {
namespace {

constexpr Index kilobyte = 1024;
constexpr Caches usual = {32 * kilobyte, 1024 * kilobyte};  // where the system does not say

Caches reported() {
    Caches found = usual;
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE)
    if (const long l1 = sysconf(_SC_LEVEL1_DCACHE_SIZE); l1 > 0) found.l1 = l1;
    if (const long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE); l2 > 0) found.l2 = l2;
#endif
    return found;
}

Caches choose() {
    const char* const forced = std::getenv("CHAINRULE_CACHES");
    if (!forced || !*forced) return reported();
    int l1 = 0, l2 = 0, read = 0;
    if (std::sscanf(forced, "%d,%d%n", &l1, &l2, &read) != 2 || forced[read] != '\0' || l1 < 1 || l2 < 1)
        throw std::runtime_error("CHAINRULE_CACHES: expected kilobytes of L1 and L2, as in 32,512, got '" + std::string(forced) + "'");
    return {l1 * kilobyte, l2 * kilobyte};
}

}  // namespace

const Caches& caches() {
    static const Caches chosen = choose();
    return chosen;
}

}  // namespace chainrule::runtime
