// Dropout masks from a counter-based generator: Philox4x32-10 (Salmon et al., 2011).
//
// Element e of the step's (n, m) array takes word e % 4 of the generator's output for the counter (e / 4, step)
// and the layer's key; u = (word >> 8) / 2^24 and mask = (u < keep) / keep. No state, so any order, any thread.

struct Philox {
    std::uint32_t word[4];
};

inline Philox philox(std::uint64_t block, std::uint64_t step, std::uint64_t key) {
    std::uint32_t c0 = static_cast<std::uint32_t>(block), c1 = static_cast<std::uint32_t>(block >> 32);
    std::uint32_t c2 = static_cast<std::uint32_t>(step), c3 = static_cast<std::uint32_t>(step >> 32);
    std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t(0xD2511F53u) * c0, b = std::uint64_t(0xCD9E8D57u) * c2;
        c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ k0;
        c1 = static_cast<std::uint32_t>(b);
        c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ k1;
        c3 = static_cast<std::uint32_t>(a);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

template <class T>
void dropout_mask(Index n, double keep, std::uint64_t key, std::uint64_t step, std::uint64_t first, T* mask) noexcept {
    const T kept = static_cast<T>(1.0 / keep);
    for (Index i = 0; i < n;) {
        const std::uint64_t element = first + static_cast<std::uint64_t>(i);
        const Philox random = philox(element / 4, step, key);
        for (std::uint64_t j = element % 4; j < 4 && i < n; ++j, ++i)
            mask[i] = (random.word[j] >> 8) * 0x1p-24 < keep ? kept : T(0);
    }
}
