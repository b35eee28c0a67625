// The yardstick of the benchmarks: independent chains of fused multiply-adds in registers, nothing else.

template <class T> double fma_chain(Index repeats) noexcept {
    constexpr int chains = parts == 1 ? 16 : 12 / parts;
    Vec<T> sum[chains];
    // No two registers may start alike: the compiler would compute one of them and count it twice.
    _Pragma("GCC unroll 16") for (int c = 0; c < chains; ++c) sum[c] = broadcast(T(16 * c)) + lane_numbers<T>();
    const Vec<T> a = broadcast(T(0.999)), b = broadcast(T(0.001));
    for (Index i = 0; i < repeats; ++i)
        _Pragma("GCC unroll 16") for (int c = 0; c < chains; ++c) sum[c] = fma(sum[c], a, b);
    Vec<T> total = sum[0];
    _Pragma("GCC unroll 16") for (int c = 1; c < chains; ++c) total = total + sum[c];
    volatile T kept = sum_lanes(total);
    (void)kept;
    return 2.0 * static_cast<double>(repeats) * chains * static_cast<double>(lanes<T>);
}
